/**
 * Measures how fast the engine works on this machine, alone or beside a peer: both run the same work on the same ids,
 * in processes of their own that take turns, so that whatever else the machine does hits both alike.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWholeText } from '../../data/whole-text';
import { writeGgufModel } from '../../export/gguf-model';
import { writeSafetensorsModel } from '../../export/safetensors-model';
import { openCheckpoint, type Checkpoint } from '../../model/checkpoint';
import { countParameters, type ModelConfig } from '../../model/config';
import { InternalError, ResourceError, UsageError } from '../../support/errors';
import type { OnProgress } from '../../support/progress';
import { exampleModel, starterTexts } from '../bundled';
import { loadCheckpointTokenizer } from '../checkpoint-tokenizer';
import { writeJsonFile } from '../json-files';
import { availableMemoryBytes } from '../machine';
import { chooseForwardWay, chooseStepWay, type TrainingWay } from '../training-way';
import { BenchChild, type BenchProgram } from './child';
import { workFlops } from './flops';
import { BENCH_TRAINING, intervalSchema, readySchema, type BenchJob, type BenchWork, type Interval, type Ready } from './job';
import { cacheFolder, peerFacts, peerProgram, requirePeerWork, type BenchPeer } from './peers';
import { GEMM_ROWS, gemmBytes } from './serve';

const REAL_MODEL = 'SmolLM2-135M-Instruct.Q4_1.gguf';
/** Ids of text that stand before what `generate` writes. */
const PROMPT_TOKENS = 32;
/** As much of one processor may be busy on a machine that counts as quiet. */
const QUIET_LOAD = 0.25;
/** Batch and length of each work unless said otherwise; the length of `generate` is that of the new text. */
export const BENCH_DEFAULTS: Readonly<Record<BenchWork, { readonly batch: number; readonly length: number }>> = {
  step: { batch: 4, length: 256 },
  forward: { batch: 8, length: 512 },
  generate: { batch: 1, length: 64 },
};

export interface BenchOptions {
  readonly work: BenchWork;
  readonly model: string;
  readonly against: BenchPeer | null;
  readonly threads: number;
  readonly batch: number;
  readonly length: number;
  /** Whether our training steps let gradients flow in 8 bits. */
  readonly int8: boolean;
  /** The most memory that our side may use. */
  readonly memoryLimitBytes: number;
  /** Measured executions of each side, after one that warms up. */
  readonly rounds: number;
  /** How this program is started on our side's job, whose path is appended. */
  readonly self: readonly [program: string, ...args: string[]];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

interface Speed {
  readonly tokensPerCpuSecond: number;
  readonly tokensPerSecond: number;
}

/** What one side reached; speeds are medians over the rounds. */
export interface BenchSide extends Speed {
  readonly name: string;
  readonly peakBytes: number;
  /** Operations per CPU-second as a share of what our runtime's matrix product reached in the same run. */
  readonly gemmShare: number;
  readonly secondsToFirst: number;
  /** Mean nats per token of the first step or pass, by which the sides can be seen to do the same; null for `generate`. */
  readonly firstLoss: number | null;
  readonly rounds: readonly Speed[];
  /** Bytes of the model's files that were read from opening to the end of the first execution, and in one after it; 0 for a peer. */
  readonly bytesReadToFirst: number;
  readonly bytesRead: number;
}

export interface BenchResult {
  readonly work: BenchWork;
  readonly model: string;
  readonly parameters: number;
  readonly threads: number;
  readonly batch: number;
  readonly length: number;
  /** Tokens of one measured execution, and the operations that these need by the model's sizes. */
  readonly tokens: number;
  readonly flops: number;
  /** How our side worked on the memory that it might use, and the peak that was expected of that. */
  readonly way: TrainingWay;
  readonly ours: BenchSide;
  readonly peer: BenchSide | null;
  /** Ours divided by the peer's. */
  readonly ratio: (Speed & { readonly peakBytes: number }) | null;
  /** For `generate` with a peer: how many of the first new ids are the same on both sides, of how many. */
  readonly sameIds: { readonly same: number; readonly of: number } | null;
  readonly gemm: { readonly shape: readonly [number, number, number]; readonly flopsPerCpuSecond: number; readonly flopsPerSecond: number };
  /** Processes that wanted to run on this machine, averaged over a minute, before and after; ours are among those after. */
  readonly load: { readonly before: number; readonly after: number };
  /** Whether other work took so much of the machine that the sides' threads had to wait for a processor. */
  readonly isBusy: boolean;
}

/** The real model that `npm run real-model` installs, else the example that comes with the program. */
export function defaultBenchModel(): string {
  const real = join(cacheFolder(), 'models', REAL_MODEL);
  return existsSync(real) ? real : exampleModel();
}

/**
 * Throws UsageError for a work that the model or the peer cannot do, NotFoundError when the peer is not installed,
 * ResourceError beforehand where no way fits into the memory, InternalError when a side fails.
 */
export async function runBench(options: BenchOptions): Promise<BenchResult> {
  const { work, model, against } = options;
  if (against !== null) requirePeerWork(against, work);
  const folder = await mkdtemp(join(tmpdir(), 'shear-bench-'));
  try {
    const jobOf = (side: string): string => join(folder, `${side}.json`);
    const peer = against === null ? null : peerProgram(against, jobOf('peer'));
    const source = await openCheckpoint(model);
    try {
      requireLength(source.config, options);
      const way = chooseWay(source.config, options);
      const job = await makeJob(source, options, way);
      await writeJsonFile(jobOf('ours'), job);
      if (against !== null) await writeJsonFile(jobOf('peer'), { ...job, model: await writePeerModel(against, source, folder, options.signal) });
      const ours: BenchProgram = { name: 'Shear', command: [...options.self, jobOf('ours')] };
      return await compare(source, job, ours, peer, options, way);
    } finally {
      await source.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function requireLength({ maxPositions }: ModelConfig, { work, length }: BenchOptions): void {
  const tokens = work === 'generate' ? PROMPT_TOKENS + length : length;
  if (tokens <= maxPositions) return;
  throw new UsageError(`The model reads at most ${maxPositions} tokens at a time; ${tokens} were asked for.`, { hint: 'Choose a smaller --length.' });
}

/** The quickest way that fits beside the matrices whose product is the machine's peak. */
function chooseWay(config: ModelConfig, { work, batch, length, int8, against, memoryLimitBytes }: BenchOptions): TrainingWay {
  const availableBytes = availableMemoryBytes(memoryLimitBytes);
  const room = availableBytes - gemmBytes(config);
  const way =
    work === 'step' ? chooseStepWay(config, { rank: BENCH_TRAINING.rank, batch, length }, room)
    : chooseForwardWay(config, work === 'forward' ? { batch, length } : { batch: 1, length: PROMPT_TOKENS + length }, room);
  const peakBytes = way.peakBytes + gemmBytes(config);
  if (peakBytes > availableBytes) {
    const [needed, available] = [peakBytes, availableBytes].map((bytes) => `${(bytes / 1e9).toFixed(2)} GB`);
    throw new ResourceError('memory', `This needs about ${needed} of memory even when layers are read one at a time; ${available} may be used.`, {
      hint: 'Allow more memory, or choose a smaller --length.',
      details: { neededBytes: peakBytes, availableBytes },
    });
  }
  const streamed = 'The model does not fit into the memory that may be used, so its layers are read from the file';
  if (way.streamed && against !== null) throw new UsageError(`${streamed}: leave out --against, which needs all of it in memory.`);
  if (way.streamed && int8) throw new UsageError(`${streamed}: leave out --int8, which keeps all of it in 8 bits.`);
  return { ...way, peakBytes };
}

/** The same ids for both sides: the starter texts by the model's own tokenizer, from their beginning. */
async function makeJob(source: Checkpoint, { work, model, threads, batch, length, int8 }: BenchOptions, way: TrainingWay): Promise<BenchJob> {
  const rows = work === 'generate' ? 1 : batch;
  const rowTokens = work === 'generate' ? PROMPT_TOKENS : length;
  const newTokens = work === 'generate' ? length : 0;
  const tokenizer = await loadCheckpointTokenizer(source);
  const ids: number[] = [];
  for (const { path } of await starterTexts()) {
    if (ids.length >= rows * rowTokens) break;
    ids.push(...tokenizer.encode(await readWholeText(path)));
  }
  // A batch larger than all texts together sees them again.
  const row = (index: number): number[] => Array.from({ length: rowTokens }, (_, at) => ids[(index * rowTokens + at) % ids.length] ?? 0);
  const { recompute, microBatch, streamed } = way;
  return { work, model, threads, int8, way: { recompute, microBatch, streamed }, newTokens, ids: Array.from({ length: rows }, (_, index) => row(index)), training: BENCH_TRAINING };
}

/** The same weights as float32, in the file type that the peer opens. */
async function writePeerModel(peer: BenchPeer, source: Checkpoint, folder: string, signal: AbortSignal | undefined): Promise<string> {
  const options = { dtype: 'F32', ...(signal && { signal }) } as const;
  switch (peerFacts[peer].format) {
    case 'safetensors': {
      const path = join(folder, 'model');
      await writeSafetensorsModel(source, source, path, options);
      return path;
    }
    case 'gguf': {
      const path = join(folder, 'model.gguf');
      await writeGgufModel(source, source, path, options);
      return path;
    }
  }
}

async function compare(source: Checkpoint, job: BenchJob, ours: BenchProgram, peer: BenchProgram | null, options: BenchOptions, way: TrainingWay): Promise<BenchResult> {
  const { rounds, signal, onProgress } = options;
  const before = loadavg()[0] ?? 0;
  const children: BenchChild[] = [];
  const start = async (program: BenchProgram): Promise<Running> => {
    const child = BenchChild.start(program, signal);
    children.push(child);
    return { name: program.name, child, ready: await child.answer(readySchema), intervals: [] };
  };
  try {
    onProgress?.({ done: 0, total: rounds + 1 });
    // One after the other, so that neither warms up beside the other.
    const our = await start(ours);
    const other = peer === null ? null : await start(peer);
    const products: Interval[] = [];
    for (let round = 0; round < rounds; round++) {
      onProgress?.({ done: round + 1, total: rounds + 1 });
      products.push(await our.child.ask('gemm', intervalSchema));
      for (const side of other === null ? [our] : [our, other]) side.intervals.push(await side.child.ask('work', intervalSchema));
    }
    return summarise(source, job, options, { way, our, other, products, load: { before, after: loadavg()[0] ?? 0 } });
  } finally {
    await Promise.all(children.map((child) => child.close()));
  }
}

interface Running {
  readonly name: string;
  readonly child: BenchChild;
  readonly ready: Ready;
  readonly intervals: Interval[];
}

interface Measured {
  readonly way: TrainingWay;
  readonly our: Running;
  readonly other: Running | null;
  readonly products: readonly Interval[];
  readonly load: BenchResult['load'];
}

function summarise({ config }: Checkpoint, job: BenchJob, options: BenchOptions, { way, our, other, products, load }: Measured): BenchResult {
  const { work, model, threads, batch, length } = options;
  const tokens = our.intervals[0]?.amount ?? 0;
  const rowTokens = job.ids[0]?.length ?? 0;
  const flops = workFlops(config, work, { batch: job.ids.length, length: rowTokens, newTokens: work === 'generate' ? tokens : 0, rank: job.training.rank });
  const product = speedOf(products);
  const sideOf = ({ name, ready, intervals }: Running): BenchSide => {
    const speed = speedOf(intervals);
    return {
      name, ...speed,
      peakBytes: Math.max(...intervals.map((interval) => interval.peakBytes)),
      gemmShare: (speed.tokensPerCpuSecond * flops) / tokens / product.tokensPerCpuSecond,
      secondsToFirst: ready.secondsToFirst,
      firstLoss: ready.loss,
      rounds: intervals.map((interval) => speedOf([interval])),
      bytesReadToFirst: ready.bytesRead,
      bytesRead: median(intervals.map(({ bytesRead }) => bytesRead)),
    };
  };
  const ours = sideOf(our);
  const peer = other === null ? null : sideOf(other);
  return {
    work, model, parameters: countParameters(config), threads, batch, length, tokens, flops, way, ours, peer,
    ratio: peer === null ? null : {
      tokensPerCpuSecond: ours.tokensPerCpuSecond / peer.tokensPerCpuSecond,
      tokensPerSecond: ours.tokensPerSecond / peer.tokensPerSecond,
      peakBytes: ours.peakBytes / peer.peakBytes,
    },
    sameIds: other === null || work !== 'generate' ? null : { same: commonStart(our.ready.ids, other.ready.ids), of: our.ready.ids.length },
    gemm: {
      shape: [GEMM_ROWS, config.hidden, config.layers[0]?.ffn ?? config.hidden],
      flopsPerCpuSecond: product.tokensPerCpuSecond, flopsPerSecond: product.tokensPerSecond,
    },
    load,
    isBusy: load.before + threads > availableParallelism() + QUIET_LOAD,
  };
}

function speedOf(intervals: readonly Interval[]): Speed {
  return {
    tokensPerCpuSecond: median(intervals.map(({ amount, cpuSeconds }) => amount / cpuSeconds)),
    tokensPerSecond: median(intervals.map(({ amount, seconds }) => amount / seconds)),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new InternalError('There is no median of nothing.');
  return (lower + upper) / 2;
}

function commonStart(left: readonly number[], right: readonly number[]): number {
  const differs = left.findIndex((id, index) => id !== right[index]);
  return differs === -1 ? left.length : differs;
}
