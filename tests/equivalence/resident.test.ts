import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createAdapter, type LoraAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { KeyValueCache } from '../../main/engine/execution/key-value-cache';
import { readTokens } from '../../main/engine/execution/read-tokens';
import { loadWritingModel } from '../../main/engine/execution/text-model';
import { streamModel, type ExecutableModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import type { WeightKeeping } from '../../main/engine/runtime/device-options';
import { Random } from '../../main/engine/support/random';
import { flattenFactors, flattenGradients, LoraGradients, type GradientOptions } from '../../main/engine/training/lora-gradients';
import { LoraTrainer } from '../../main/engine/training/trainer';
import { EXAMPLE_MODEL, loadExample } from '../support/example-model';

const text = (start: number, length: number): number[] => Array.from({ length }, (_, at) => 259 + ((start * 31 + at * at * 7 + at) % 240));
const batch = [text(1, 128), text(2, 128)];

/** What weights kept in each type may change, relative: float32 sums in another order; rounding to 11 bits. */
const TOLERANCE = { float32: { loss: 1e-6, gradient: 2e-5 }, float16: { loss: 2e-4, gradient: 2e-3 } } as const;

describe('weights that stay where sessions compute', () => {
  let model: LoadedModel;
  const executors: Executor[] = [];
  beforeAll(async () => {
    model = await loadExample();
  });
  afterEach(async () => {
    for (const executor of executors.splice(0)) await executor.dispose();
  });

  async function open(weights: WeightKeeping): Promise<Executor> {
    const executor = await Executor.create({ threads: 1, weights });
    executors.push(executor);
    return executor;
  }

  function makeAdapter(): LoraAdapter {
    const random = Random.fromSeed(3);
    const adapter = createAdapter(model.config, { rank: 2, alpha: 4, targets: LINEAR_ROLES, random });
    for (const values of flattenFactors(adapter)) for (let at = 0; at < values.length; at++) values[at] = 0.05 * random.nextNormal();
    return adapter;
  }

  async function gradients(executor: Executor, of: ExecutableModel, recompute: boolean, options: GradientOptions = {}): Promise<{ loss: number; flat: Float32Array[] }> {
    const adapter = makeAdapter();
    const result = await new LoraGradients(executor, of, adapter, { recompute }).compute(batch, options);
    return { loss: result.loss, flat: flattenGradients(adapter, result).map((values) => values.slice()) };
  }

  /** Relative L2 distance. */
  function distance(actual: readonly Float32Array[], expected: readonly Float32Array[]): number {
    let [difference, square] = [0, 0];
    expected.forEach((values, index) => {
      values.forEach((value, at) => {
        difference += (value - (actual[index]?.[at] ?? Number.NaN)) ** 2;
        square += value * value;
      });
    });
    return Math.sqrt(difference / square);
  }

  for (const type of ['float32', 'float16'] as const) {
    it(`give the losses, gradients and logits of weights from our memory, kept as ${type}`, async () => {
      const [host, resident] = [await open('host'), await open(type)];
      for (const recompute of [false, true]) {
        const expected = await gradients(host, model, recompute);
        const actual = await gradients(resident, model, recompute);
        const [loss, gradient] = [Math.abs(actual.loss / expected.loss - 1), distance(actual.flat, expected.flat)];
        expect(loss <= TOLERANCE[type].loss, `the loss differs by ${loss}`).toBe(true);
        expect(gradient <= TOLERANCE[type].gradient, `the gradients differ by ${gradient}`).toBe(true);
      }
      const logits = distance([await computeLogits(resident, model, text(5, 40))], [await computeLogits(host, model, text(5, 40))]);
      expect(logits <= TOLERANCE[type].gradient, `the logits differ by ${logits}`).toBe(true);
    });
  }

  it('train as weights from our memory do, step after step', async () => {
    const after = async (weights: WeightKeeping): Promise<Float32Array[]> => {
      const adapter = makeAdapter();
      const trainer = new LoraTrainer(await open(weights), model, adapter, { microBatch: 1 });
      for (let step = 0; step < 3; step++) await trainer.step(batch, 1e-3);
      return flattenFactors(adapter);
    };
    const expected = await after('host');
    expect(distance(await after('float32'), expected)).toBeLessThan(2e-5);
    expect(distance(await after('float16'), expected)).toBeLessThan(5e-3);
  });

  it('write text, also with matrices turned over', async () => {
    const checkpoint = await openCheckpoint(EXAMPLE_MODEL);
    try {
      const writer = await loadWritingModel(checkpoint);
      const logits = async (weights: WeightKeeping): Promise<Float32Array> => {
        const executor = await open(weights);
        const cache = new KeyValueCache(model.config);
        await readTokens(executor, writer, text(5, 9), cache);
        return readTokens(executor, writer, [300], cache);
      };
      const expected = [await logits('host')];
      expect(distance([await logits('float32')], expected)).toBeLessThan(2e-5);
      expect(distance([await logits('float16')], expected)).toBeLessThan(2e-3);
    } finally {
      await checkpoint.close();
    }
  });

  it('may come from a file layer by layer', async () => {
    const checkpoint = await openCheckpoint(EXAMPLE_MODEL);
    try {
      const expected = await gradients(await open('host'), model, true);
      const actual = await gradients(await open('float32'), await streamModel(checkpoint), true);
      expect(distance(actual.flat, expected.flat)).toBeLessThan(2e-5);
    } finally {
      await checkpoint.close();
    }
  });

  it('are made anew where a layer is changed in place, and shared by models that share the others', async () => {
    const own = await loadExample();
    const [host, resident] = [await open('host'), await open('float32')];
    const before = await computeLogits(resident, own, text(5, 20));
    await resident.changeLayer(own, 1, ({ tensors }) => {
      tensors.get('down')?.data.fill(0);
    });
    const expected = await computeLogits(host, own, text(5, 20));
    expect(distance([before], [expected])).toBeGreaterThan(1e-3);
    expect(distance([await computeLogits(resident, own, text(5, 20))], [expected])).toBeLessThan(2e-5);
    // The unchanged layer of another model beside the rest of this one.
    const layers = own.layers.map((layer, index) => (index === 1 ? (model.layers[1] ?? layer) : layer));
    expect(distance([await computeLogits(resident, { ...own, layers }, text(5, 20))], [before])).toBeLessThan(2e-5);
  });

  it('are given up when a computation is cancelled, and serve the next one', async () => {
    const resident = await open('float32');
    await expect(gradients(resident, model, false, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    const expected = await gradients(await open('host'), model, false);
    expect(distance((await gradients(resident, model, false)).flat, expected.flat)).toBeLessThan(2e-5);
  });
});
