/** Trains the same LoRA twice, once with gradients in 8 bits, and compares the losses of each step and the held-out perplexities. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { measureWindows } from '../../main/engine/evaluation/perplexity';
import { createAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel } from '../../main/engine/execution/loaded-model';
import { defaultBenchModel } from '../../main/engine/jobs/bench/bench';
import { defaultThreads } from '../../main/engine/jobs/machine';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import { Random } from '../../main/engine/support/random';
import { LoraTrainer, scheduleShare } from '../../main/engine/training/trainer';

const [BATCH, RANK, ALPHA, LEARNING_RATE, WARMUP] = [4, 8, 16, 2e-3, 10] as const;
const HELD_OUT = ['wiki.valid', 'web_c4', 'code_py', 'war'] as const;
/** Windows of 512 ids of each held-out text. */
const WINDOWS = 24;

async function readIds(folder: string, name: string): Promise<number[] | number[][]> {
  return JSON.parse(gunzipSync(await readFile(join(folder, `${name}.ids.json.gz`))).toString()) as number[] | number[][];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints the figures; `data` is the folder of the ids. */
export async function measureInt8(data: string, steps: number): Promise<void> {
  const source = await openCheckpoint(defaultBenchModel());
  const model = await loadModel(source).finally(() => source.close());
  const blocks = (await readIds(data, 'train_512x256')) as number[][];
  const results: { losses: number[]; perplexities: number[] }[] = [];
  for (const int8 of [false, true]) {
    const executor = await Executor.create({ threads: defaultThreads() });
    const adapter = createAdapter(model.config, { rank: RANK, alpha: ALPHA, targets: LINEAR_ROLES, random: Random.fromSeed(0) });
    const trainer = new LoraTrainer(executor, model, adapter, { int8 });
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      const rows = Array.from({ length: BATCH }, (_, row) => blocks[(step * BATCH + row) % blocks.length] ?? []);
      losses.push((await trainer.step(rows, LEARNING_RATE * scheduleShare(step, steps, WARMUP))).loss);
    }
    const perplexities: number[] = [];
    for (const name of HELD_OUT) {
      const ids = (await readIds(data, name)) as number[];
      const windows = Array.from({ length: WINDOWS }, (_, index) => ids.slice(512 * index, 512 * (index + 1)));
      perplexities.push(Math.exp((await measureWindows(executor, model, windows, { adapter })).nll));
    }
    await executor.dispose();
    results.push({ losses, perplexities });
    say(`${int8 ? '8 bits' : 'float32'}: last losses ${losses.slice(-3).map((loss) => loss.toFixed(4)).join(', ')}`);
  }
  const [exact, rounded] = results;
  if (exact === undefined || rounded === undefined) return;
  const apart = exact.losses.map((loss, step) => (rounded.losses[step] ?? Number.NaN) - loss);
  const mean = apart.reduce((sum, value) => sum + value, 0) / apart.length;
  say(`losses of ${steps} steps: mean difference ${mean.toFixed(5)}, largest ${Math.max(...apart.map(Math.abs)).toFixed(5)}`);
  HELD_OUT.forEach((name, index) => {
    const [before = Number.NaN, after = Number.NaN] = [exact.perplexities[index], rounded.perplexities[index]];
    say(`${name}: perplexity ${before.toFixed(4)} and ${after.toFixed(4)}, ${(100 * (after / before - 1)).toFixed(3)}%`);
  });
}
