/** The steps of scripts/soak.mjs, in a process of their own: prints the memory held after each, once garbage is collected. */
import { createAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel } from '../../main/engine/execution/loaded-model';
import { measureWindows } from '../../main/engine/evaluation/perplexity';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import { Random } from '../../main/engine/support/random';
import { LoraDropout } from '../../main/engine/training/dropout';
import { LoraTrainer } from '../../main/engine/training/trainer';
import { configOf, generatedView, type ModelSizes } from '../measure-memory/generated-model';

interface Soak extends ModelSizes {
  readonly rank: number;
  readonly steps: number;
  /** Tokens of the longest sequences. */
  readonly longest: number;
  /** Steps after which the same shapes come again; 0 for never. */
  readonly repeat: number;
}

const MOST_ROWS = 4;
/** Up to here sequences stand in batches; longer ones come alone. */
const MOST_BATCHED = 320;
/** Steps between measurements on other windows, as recovery has them. */
const MEASURE_EVERY = 12;
const SEPARATOR = 0;

async function soak(options: Soak): Promise<void> {
  const { rank, steps, longest, repeat, vocabulary } = options;
  const config = configOf(options);
  const random = Random.fromSeed(1);
  const model = await loadModel(generatedView(config, random));
  const executor = await Executor.create({ threads: 2 });
  const adapter = createAdapter(config, { rank, alpha: 2 * rank, targets: LINEAR_ROLES, random });
  const dropout = new LoraDropout(0.1, Random.fromSeed(2));
  const trainers = [new LoraTrainer(executor, model, adapter, { dropout }), new LoraTrainer(executor, model, adapter, { recompute: true })];
  const ids = (length: number): Int32Array => Int32Array.from({ length }, () => random.nextInteger(vocabulary));
  /** Rows of lengths that all differ, or one long row. Where none come again, the first twelve are as large as any can be. */
  const batchOf = (step: number): Int32Array[] => {
    const isLarge = repeat === 0 && step < 12;
    const shape = Random.fromSeed(repeat === 0 ? step : step % repeat);
    if (step % 4 < 2) return [ids(isLarge ? longest : 1025 + shape.nextInteger(longest - 1024))];
    const rows = isLarge ? MOST_ROWS : 1 + shape.nextInteger(MOST_ROWS);
    return Array.from({ length: rows }, () => ids(isLarge ? MOST_BATCHED : 2 + shape.nextInteger(MOST_BATCHED - 1)));
  };
  const windowOf = (step: number): Int32Array => ids(64 + Random.fromSeed(repeat === 0 ? step : step % repeat).nextInteger(longest - 64));
  const started = performance.now();
  const rss: number[] = [];
  for (let step = 0; step < steps; step++) {
    // Each trainer has a step of either kind in turn; every third step keeps the documents of its rows apart.
    const trainer = trainers[step % 2];
    await trainer?.step(batchOf(step), 1e-4, step % 3 === 0 ? { separatorId: SEPARATOR } : {});
    if (step % MEASURE_EVERY === 0) await measureWindows(executor, model, [windowOf(step)], { adapter });
    globalThis.gc?.();
    rss.push(process.memoryUsage().rss);
  }
  await executor.dispose();
  process.stdout.write(JSON.stringify({ rss, seconds: (performance.now() - started) / 1000 }));
}

const [argument = '{}'] = process.argv.slice(2);
await soak(JSON.parse(argument) as Soak);
