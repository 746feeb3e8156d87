/** One measurement in a process of its own: trains a model with generated weights for a few steps and prints what memory it took. */
import { createAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel } from '../../main/engine/execution/loaded-model';
import { estimateTraining, totalBytes } from '../../main/engine/jobs/memory';
import { LINEAR_ROLES, type ModelConfig } from '../../main/engine/model/config';
import { globalWeightShape, layerWeightShape } from '../../main/engine/model/match-tensors';
import { resolveRope } from '../../main/engine/model/rope';
import type { ModelView } from '../../main/engine/model/view';
import { Random } from '../../main/engine/support/random';
import type { Tensor32 } from '../../main/engine/tensors/handle';
import { elementCount } from '../../main/engine/tensors/shape';
import { openGates } from '../../main/engine/pruning/gate-scores';
import { LoraTrainer } from '../../main/engine/training/trainer';

/** What is measured; see the list in measure-memory.mjs. */
interface Combination {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffn: number;
  readonly vocabulary: number;
  readonly tied: boolean;
  readonly batch: number;
  readonly length: number;
  readonly rank: number;
  readonly steps: number;
  readonly recompute?: boolean;
  readonly gates?: boolean;
}

function configOf(combination: Combination): ModelConfig {
  const { layers, heads, kvHeads, ffn, headDim } = combination;
  return {
    family: 'llama', vocabulary: combination.vocabulary, hidden: combination.hidden, headDim,
    layers: Array.from({ length: layers }, () => ({ heads, kvHeads, ffn })),
    rmsEpsilon: 1e-5, rope: resolveRope(10_000, headDim, null), tied: combination.tied, biases: new Set(),
    maxPositions: 8192, bosId: null, eosIds: [],
  };
}

/** Weights cut from one list of random numbers: as good as others for measuring memory, and quick. */
function generatedView(config: ModelConfig, random: Random): ModelView {
  const samples = Float32Array.from({ length: 65_521 }, () => 0.02 * random.nextNormal());
  const make = (shape: readonly number[]): Promise<Tensor32> => {
    const data = new Float32Array(elementCount(shape));
    if (shape.length === 1) data.fill(1);
    else for (let at = 0; at < data.length; at += samples.length) data.set(samples.subarray(0, Math.min(samples.length, data.length - at)), at);
    return Promise.resolve({ shape, data });
  };
  return {
    config,
    readGlobal: (role) => make(globalWeightShape(config, role)),
    readLayer: (layer, role) => make(layerWeightShape(config, layer, role)),
  };
}

async function measure(combination: Combination): Promise<void> {
  const { batch, length, rank, steps, vocabulary, recompute = false, gates = false } = combination;
  const config = configOf(combination);
  const random = Random.fromSeed(1);
  const model = await loadModel(generatedView(config, random));
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
  const parts = estimateTraining(config, { rank, batch, length, recompute, gates });
  process.stdout.write(`${JSON.stringify({ estimate: totalBytes(parts), measured: peaks.at(-1) ?? 0, parts, peaks })}\n`);
}

const [argument = '{}'] = process.argv.slice(2);
await measure(JSON.parse(argument) as Combination);
