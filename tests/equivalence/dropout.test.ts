import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INPUT_OF } from '../../main/engine/execution/block-graph';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { measureWindows } from '../../main/engine/evaluation/perplexity';
import { LINEAR_ROLES, linearShape } from '../../main/engine/model/config';
import { float32 } from '../../main/engine/runtime/session';
import { Random } from '../../main/engine/support/random';
import { LoraDropout, type DropoutSource } from '../../main/engine/training/dropout';
import { flattenFactors, LoraGradients } from '../../main/engine/training/lora-gradients';
import { LoraTrainer } from '../../main/engine/training/trainer';
import { expectSame, filledAdapter, flatCopy, relativeDistance } from '../support/compare-gradients';
import { tinyConfig, tinyView } from '../support/tiny-model';

const config = tinyConfig({ biases: ['q', 'v'] });
const row = (start: number, length: number): number[] => Array.from({ length }, (_, at) => 3 + ((start * 31 + at * at * 7 + at) % 45));
const batch = [row(1, 20), row(2, 33), row(3, 7), row(4, 20)];

/** Masks that `multiplier` gives, by the number within a row. */
function masksOf(multiplier: (at: number) => number): DropoutSource {
  return {
    draw: ({ layers }, rows) =>
      layers.map((layer) => {
        const widths = new Map(LINEAR_ROLES.map((role) => [INPUT_OF[role], linearShape(config, layer, role)[1]]));
        return new Map([...widths].map(([input, width]) => [input, float32(Float32Array.from({ length: rows * width }, (_, at) => multiplier(at % width)), [rows, width])]));
      }),
  };
}

describe('dropout', () => {
  let executor: Executor;
  let model: LoadedModel;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    model = await loadModel(tinyView(config));
  });
  afterAll(() => executor.dispose());

  const trained = async (seed: number, options: { readonly recompute?: boolean; readonly microBatch?: number } = {}): Promise<Float32Array[]> => {
    const adapter = filledAdapter(config);
    const trainer = new LoraTrainer(executor, model, adapter, { ...options, dropout: new LoraDropout(0.2, Random.fromSeed(seed)) });
    for (let step = 0; step < 10; step++) await trainer.step(batch, 1e-3);
    return flattenFactors(adapter);
  };

  it('with masks of ones changes nothing', async () => {
    const adapter = filledAdapter(config);
    const without = await new LoraGradients(executor, model, adapter).compute(batch);
    const withOnes = await new LoraGradients(executor, model, adapter, { dropout: masksOf(() => 1) }).compute(batch);
    expect(withOnes.loss).toBeCloseTo(without.loss, 6);
    expectSame(flatCopy(adapter, withOnes), flatCopy(adapter, without));
  });

  it('of whole channels is the same as the columns of A multiplied instead', async () => {
    const multiplier = (at: number): number => (at % 3 === 0 ? 0 : 1.5);
    const adapter = filledAdapter(config);
    const masked = await new LoraGradients(executor, model, adapter, { dropout: masksOf(multiplier) }).compute(batch);
    const gradients = flatCopy(adapter, masked);
    const columns = filledAdapter(config);
    const scaleColumns = (values: Float32Array, width: number): void => values.forEach((value, at) => (values[at] = value * multiplier(at % width)));
    for (const layer of columns.layers) for (const { a } of layer.values()) scaleColumns(a.data, a.shape[1] ?? 1);
    const reference = await new LoraGradients(executor, model, columns).compute(batch);
    for (const [layer, roles] of reference.layers.entries()) {
      for (const [role, { a }] of roles) scaleColumns(a, columns.layers[layer]?.get(role)?.a.shape[1] ?? 1);
    }
    expect(masked.loss).toBeCloseTo(reference.loss, 6);
    expectSame(gradients, flatCopy(columns, reference));
  });

  it('drops the same where activations are computed again, and with the same seed; another with another', async () => {
    const first = await trained(7);
    expectSame(await trained(7), first, 0);
    expectSame(await trained(7, { recompute: true }), first);
    expect(relativeDistance(await trained(8), first)).toBeGreaterThan(1e-4);
  });

  it('draws anew for each part of a batch that is added up from several', async () => {
    const parts = await trained(7, { microBatch: 2 });
    expectSame(await trained(7, { microBatch: 2 }), parts, 0);
    // Both learn the same but for what was dropped.
    const apart = relativeDistance(parts, await trained(7));
    expect(apart).toBeGreaterThan(1e-4);
    expect(apart).toBeLessThan(0.2);
  });

  it('leaves the loss as it is on average, and measurements exactly', async () => {
    const adapter = filledAdapter(config);
    const dropping = new LoraGradients(executor, model, adapter, { dropout: new LoraDropout(0.5, Random.fromSeed(1)) });
    const { loss } = await new LoraGradients(executor, model, adapter).compute(batch);
    const before = await measureWindows(executor, model, [batch[1] ?? []], { adapter });
    let sum = 0;
    for (let pass = 0; pass < 60; pass++) sum += (await dropping.compute(batch)).loss;
    expect(Math.abs(sum / 60 / loss - 1)).toBeLessThan(2e-3);
    expect(await measureWindows(executor, model, [batch[1] ?? []], { adapter })).toEqual(before);
  });
});

describe('masks of dropout', () => {
  const rows = 500;
  const draw = (probability: number, seed: number, passes: number) => {
    const dropout = new LoraDropout(probability, Random.fromSeed(seed));
    return Array.from({ length: passes }, () => dropout.draw(config, rows).map((layer) => new Map([...layer].map(([input, { data }]) => [input, data.slice()]))));
  };

  it('are of the shape of what enters the linears, zero with the given probability and the inverse of the rest elsewhere', () => {
    for (const probability of [0.05, 0.3, 0.9]) {
      const counts = new Map<number, number>();
      for (const layer of draw(probability, 1, 20).flat()) {
        expect([...layer].map(([input, { length }]) => [input, length / rows])).toEqual([['attention.in', 32], ['attention.out', 32], ['mlp.in', 32], ['mlp.out', 24]]);
        for (const values of layer.values()) for (const value of values) counts.set(Number(value), (counts.get(Number(value)) ?? 0) + 1);
      }
      expect([...counts.keys()].sort()).toEqual([0, Math.fround(1 / (1 - probability))]);
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      // 20 passes draw from three pools of 32,000 numbers: three standard deviations are 0.005.
      expect(Math.abs((counts.get(0) ?? 0) / total - probability)).toBeLessThan(0.006);
    }
  });

  it('differ from layer to layer, from pass to pass and from input to input', () => {
    const masks = draw(0.5, 2, 3).flat().flatMap((layer) => [...layer.values()].map((values) => values.subarray(0, 24 * rows).join()));
    expect(new Set(masks).size).toBe(masks.length);
  });

  it('are the same for the same seed, and others for another', () => {
    expect(draw(0.5, 3, 12)).toEqual(draw(0.5, 3, 12));
    expect(draw(0.5, 3, 1)).not.toEqual(draw(0.5, 4, 1));
  });
});
