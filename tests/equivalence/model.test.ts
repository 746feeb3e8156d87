import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdapter, type LoraAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { asView, loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { KeyValueCache } from '../../main/engine/execution/key-value-cache';
import { mergedView } from '../../main/engine/execution/merge';
import { readTokens } from '../../main/engine/execution/read-tokens';
import { loadWritingModel } from '../../main/engine/execution/text-model';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { generate } from '../../main/engine/evaluation/generate';
import { LINEAR_ROLES } from '../../main/engine/model/config';
import { slicedView } from '../../main/engine/pruning/sliced-view';
import { openGates } from '../../main/engine/pruning/gate-scores';
import type { PruningPlan } from '../../main/engine/pruning/plan';
import { findUnitGroups } from '../../main/engine/pruning/units';
import { Random } from '../../main/engine/support/random';
import { tinyConfig, tinyView } from '../support/tiny-model';

const IDS = [1, 5, 9, 13, 2, 7, 40, 33, 21, 8, 8, 30];
const SHAPE = { batch: 1, length: IDS.length };

/** Largest difference; fails on NaN. Float32 sums in another order differ by parts in 1e-6 of values near 1. */
function expectClose(actual: Float32Array, expected: Float32Array, tolerance = 2e-5): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, index) => {
    expect(Math.abs(value - (expected[index] ?? Number.NaN)) <= tolerance, `element ${index}`).toBe(true);
  });
}

describe.each([
  { name: 'grouped-query attention', biases: [] as const },
  { name: 'attention biases (Qwen2)', biases: ['q', 'k', 'v'] as const },
])('a model with $name', ({ biases }) => {
  let executor: Executor;
  let model: LoadedModel;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    const layers = [{ heads: 8, kvHeads: 4, ffn: 24 }, { heads: 4, kvHeads: 2, ffn: 16 }, { heads: 6, kvHeads: 3, ffn: 20 }];
    model = await loadModel(tinyView(tinyConfig({ layers, biases: [...biases] }), 3));
  });
  afterAll(() => executor.dispose());

  const hiddenOf = (of: LoadedModel, adapter?: LoraAdapter): Promise<Float32Array> =>
    executor.forwardBlocks(of, executor.embed(of, IDS), SHAPE, adapter === undefined ? {} : { adapter });
  const adapterOf = (random: Random): LoraAdapter => createAdapter(model.config, { rank: 3, alpha: 6, targets: LINEAR_ROLES, random });

  it('is not changed by a fresh LoRA', async () => {
    expectClose(await hiddenOf(model, adapterOf(Random.fromSeed(1))), await hiddenOf(model));
  });

  it('gives the same with LoRA beside it and merged into it', async () => {
    const random = Random.fromSeed(2);
    const adapter = adapterOf(random);
    for (const layer of adapter.layers) {
      for (const { b } of layer.values()) b.data.forEach((_, at) => (b.data[at] = 0.1 * random.nextNormal()));
    }
    const merged = await hiddenOf(await loadModel(mergedView(asView(model), adapter)));
    expectClose(await hiddenOf(model, adapter), merged);
  });

  it('gives the same masked by gates and sliced', async () => {
    const groups = findUnitGroups(model.config);
    const random = Random.fromSeed(4);
    const plan: PruningPlan = {
      groups: groups.map(({ layer, part, size }) => {
        const units = Array.from({ length: size }, (_, unit) => unit);
        random.shuffle(units);
        const kept = units.slice(0, Math.ceil(size / 2)).sort((a, b) => a - b);
        return { layer, part, size, kept, scores: [], locked: false };
      }),
    };
    const gates = openGates(model);
    for (const { layer, part, size, kept } of plan.groups) {
      for (let unit = 0; unit < size; unit++) if (!kept.includes(unit)) gates[layer]?.[part].fill(0, unit, unit + 1);
    }
    let masked: Float32Array = executor.embed(model, IDS);
    for (const [layer, gate] of gates.entries()) masked = await executor.forwardBlock(model, layer, masked, SHAPE, { gates: gate });
    expectClose(await hiddenOf(await loadModel(slicedView(asView(model), groups, plan))), masked);
  });

  it('gives the same logits token by token with a cache as all at once', async () => {
    const { ids } = await generate(executor, model, IDS, { tokens: 8, seed: 0, temperature: 0, eosIds: [] });
    const all = [...IDS, ...ids];
    const logits = await computeLogits(executor, model, all);
    const { vocabulary } = model.config;
    ids.forEach((id, index) => {
      const row = logits.subarray((IDS.length - 1 + index) * vocabulary, (IDS.length + index) * vocabulary);
      expect((row[id] ?? Number.NaN) >= Math.max(...row) - 1e-5, `token ${index}`).toBe(true);
    });
  });

  it('gives the same logits for a text read in pieces, past the room that the cache begins with, whichever way weights lie', async () => {
    const random = Random.fromSeed(5);
    const text = Array.from({ length: 75 }, () => random.nextInteger(model.config.vocabulary));
    const { vocabulary } = model.config;
    const expected = (await computeLogits(executor, model, text)).subarray((text.length - 1) * vocabulary);
    for (const writer of [model, await loadWritingModel(asView(model))]) {
      const cache = new KeyValueCache(model.config);
      await readTokens(executor, writer, text.slice(0, 40), cache);
      for (const [from, to] of [[40, 41], [41, 70], [70, 74]] as const) await readTokens(executor, writer, text.slice(from, to), cache);
      expectClose(await readTokens(executor, writer, text.slice(74), cache), expected);
      expect(cache.positions).toBe(text.length);
    }
  });

  it('treats the sequences of a batch apart', async () => {
    const other = [...IDS].reverse();
    const both = await executor.forwardBlocks(model, executor.embed(model, [...IDS, ...other]), { batch: 2, length: IDS.length });
    expectClose(both.subarray(0, both.length / 2), await hiddenOf(model));
  });
});
