/** One measurement in a process of its own: trains a model with generated weights for a few steps and prints what memory it took. */
import { createAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel, streamModel } from '../../main/engine/execution/loaded-model';
import { estimateTraining, totalBytes } from '../../main/engine/jobs/memory';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import { Random } from '../../main/engine/support/random';
import { openGates } from '../../main/engine/pruning/gate-scores';
import { LoraTrainer } from '../../main/engine/training/trainer';
import { configOf, generatedView, type ModelSizes } from './generated-model';

/** What is measured; see the list in measure-memory.mjs. */
interface Combination extends ModelSizes {
  readonly batch: number;
  readonly length: number;
  readonly rank: number;
  readonly steps: number;
  readonly recompute?: boolean;
  readonly gates?: boolean;
  /** Layers come from the view each time, as from a file. */
  readonly streamed?: boolean;
}

async function measure(combination: Combination): Promise<void> {
  const { batch, length, rank, steps, vocabulary, recompute = false, gates = false, streamed = false } = combination;
  const config = configOf(combination);
  const random = Random.fromSeed(1);
  const view = generatedView(config, random);
  const model = streamed ? await streamModel(view) : await loadModel(view);
  const executor = await Executor.create({ threads: 2 });
  const adapter = createAdapter(config, { rank, alpha: 2 * rank, targets: LINEAR_ROLES, random });
  const trainer = new LoraTrainer(executor, model, adapter, { recompute });
  const peaks: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batchIds = Array.from({ length: batch }, () => Int32Array.from({ length }, () => random.nextInteger(vocabulary)));
    await trainer.step(batchIds, 1e-4, gates ? { gates: openGates(model) } : {});
    peaks.push(process.resourceUsage().maxRSS * 1024);
  }
  await executor.dispose();
  const parts = estimateTraining(config, { rank, batch, length, recompute, gates, streamed });
  process.stdout.write(`${JSON.stringify({ estimate: totalBytes(parts), measured: peaks.at(-1) ?? 0, parts, peaks })}\n`);
}

const [argument = '{}'] = process.argv.slice(2);
await measure(JSON.parse(argument) as Combination);
