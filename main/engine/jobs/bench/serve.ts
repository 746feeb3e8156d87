/** Our side of a comparison: opens the model, does the work once, then once more for each line that it is asked by. */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { readFileSync } from 'node:fs';
import { measureWindows } from '../../evaluation/perplexity';
import { generate } from '../../evaluation/generate';
import { createAdapter } from '../../execution/adapter';
import type { Executor } from '../../execution/executor';
import { loadModel, streamModel, type ExecutableModel } from '../../execution/loaded-model';
import { loadWritingModel, type TextModel } from '../../execution/text-model';
import { GraphBuilder } from '../../graph/builder';
import { openCheckpoint, type Checkpoint } from '../../model/checkpoint';
import { LINEAR_ROLES, type ModelConfig } from '../../model/config';
import { float32, Session } from '../../runtime/session';
import { UsageError } from '../../support/errors';
import { Random } from '../../support/random';
import { LoraTrainer } from '../../training/trainer';
import { readJsonFile } from '../json-files';
import { withExecutor } from '../use-model';
import { benchJobSchema, type BenchJob, type Interval, type Ready } from './job';

/** Rows of the matrix product that stands for the machine's peak. */
export const GEMM_ROWS = 1024;
/** Bytes of the operands and the result of that product. */
export function gemmBytes(config: ModelConfig): number {
  const out = config.layers[0]?.ffn ?? config.hidden;
  return 4 * (GEMM_ROWS * config.hidden + config.hidden * out + GEMM_ROWS * out);
}

/** A product is repeated at least this long, so that the clock's steps do not matter. */
const GEMM_SECONDS = 0.3;
/** Range of the random numbers that are multiplied: neither zeros nor anything that overflows. */
const GEMM_SEED = 1;

type Timed = Pick<Interval, 'seconds' | 'cpuSeconds' | 'amount'>;

/** What one execution gave, and the interval that counts. */
interface Done {
  readonly interval: Timed;
  readonly loss: number | null;
  readonly ids: readonly number[];
}

/** Serves a job until the input ends. Throws what opening and running the model throws. */
export async function serveBench(jobPath: string, io: { readonly input: Readable; readonly output: Writable; readonly signal: AbortSignal }): Promise<void> {
  const job = await readJsonFile(jobPath, benchJobSchema);
  const started = clock();
  const source = await openCheckpoint(job.model);
  try {
    await serveFrom(source, job, started, io);
  } finally {
    await source.close();
  }
}

type Io = Parameters<typeof serveBench>[1];

async function serveFrom(source: Checkpoint, job: BenchJob, started: Clock, io: Io): Promise<void> {
  await withExecutor(job.threads, async (executor) => {
    const work = await workOf(job, executor, source, io.signal);
    const first = await work();
    const say = (answer: Ready | Interval): unknown => io.output.write(`${JSON.stringify(answer)}\n`);
    say({ secondsToFirst: since(started).seconds, loss: first.loss, ids: [...first.ids], bytesRead: source.bytesRead() });
    for await (const request of createInterface({ input: io.input })) {
      const readBefore = source.bytesRead();
      const tell = (interval: Timed): unknown => say({ ...interval, peakBytes: peakBytes(), bytesRead: source.bytesRead() - readBefore });
      if (request === 'work') tell((await work()).interval);
      else if (request === 'gemm') tell(await multiply(source.config, job.threads));
      else throw new UsageError(`A bench is asked for work or gemm, not for "${request}".`);
    }
  });
}

/** Loads the model in the form that the work wants. */
async function workOf(job: BenchJob, executor: Executor, source: Checkpoint, signal: AbortSignal): Promise<() => Promise<Done>> {
  if (job.work === 'generate') {
    const model = job.way.streamed ? await streamModel(source) : await loadWritingModel(source, { signal });
    return () => generateTimed(job, executor, model, signal);
  }
  const model = job.way.streamed ? await streamModel(source) : await loadModel(source, { signal });
  if (job.work === 'step') return stepWork(job, executor, model, signal);
  return () => timed(job, async () => (await measureWindows(executor, model, job.ids, { batch: job.way.microBatch, signal })).nll);
}

function stepWork(job: BenchJob, executor: Executor, model: ExecutableModel, signal: AbortSignal): () => Promise<Done> {
  const { rank, alpha, learningRate } = job.training;
  const adapter = createAdapter(model.config, { rank, alpha, targets: LINEAR_ROLES, random: Random.fromSeed(0) });
  const trainer = new LoraTrainer(executor, model, adapter, { ...job.way, int8: job.int8 });
  return () => timed(job, async () => (await trainer.step(job.ids, learningRate, { signal })).loss);
}

async function timed(job: BenchJob, work: () => Promise<number>): Promise<Done> {
  const start = clock();
  const loss = await work();
  const amount = job.ids.reduce((sum, row) => sum + row.length, 0);
  return { interval: { ...since(start), amount }, loss, ids: [] };
}

/** The interval begins with the first new token, so that reading the prompt does not count. */
async function generateTimed(job: BenchJob, executor: Executor, model: TextModel, signal: AbortSignal): Promise<Done> {
  let start: Clock | undefined;
  const { ids } = await generate(executor, model, job.ids[0] ?? [], {
    tokens: job.newTokens, seed: 0, temperature: 0, eosIds: [], signal,
    onToken: () => {
      start ??= clock();
    },
  });
  return { interval: { ...since(start ?? clock()), amount: ids.length - 1 }, loss: null, ids };
}

/** Products [1024, C] x [C, F] of the model's own widths through the runtime that everything else runs on. */
async function multiply(config: ModelConfig, threads: number): Promise<Timed> {
  const width = config.hidden;
  const out = config.layers[0]?.ffn ?? width;
  const builder = new GraphBuilder();
  const graph = builder.build('gemm', [builder.gemm(builder.input('x', [GEMM_ROWS, width]), builder.input('w', [out, width]), { transposeRight: true, name: 'y' })]);
  const random = Random.fromSeed(GEMM_SEED);
  const filled = (rows: number) => float32(Float32Array.from({ length: rows * width }, () => random.next() - 0.5), [rows, width]);
  const feeds = new Map([['x', filled(GEMM_ROWS)], ['w', filled(out)]]);
  const into = new Map([['y', float32(new Float32Array(GEMM_ROWS * out), [GEMM_ROWS, out])]]);
  const session = await Session.create(graph, { threads });
  try {
    await session.run(feeds, into);
    const start = clock();
    let amount = 0;
    do {
      await session.run(feeds, into);
      amount += 2 * GEMM_ROWS * width * out;
    } while (since(start).seconds < GEMM_SECONDS);
    return { ...since(start), amount };
  } finally {
    await session.dispose();
  }
}

interface Clock {
  readonly wallMs: number;
  readonly cpu: NodeJS.CpuUsage;
}

function clock(): Clock {
  return { wallMs: performance.now(), cpu: process.cpuUsage() };
}

function since({ wallMs, cpu }: Clock): { seconds: number; cpuSeconds: number } {
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - wallMs) / 1000, cpuSeconds: (user + system) / 1e6 };
}

/** Most memory of this process. On Linux from the kernel's own mark: ru_maxrss also holds that of the process before exec. */
function peakBytes(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
