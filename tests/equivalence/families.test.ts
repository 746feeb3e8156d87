import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { computeViewLogits } from '../../main/engine/evaluation/view-logits';
import { createAdapter, type LoraAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { KeyValueCache } from '../../main/engine/execution/key-value-cache';
import { asView, loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { mergedView } from '../../main/engine/execution/merge';
import { readTokens } from '../../main/engine/execution/read-tokens';
import { loadWritingModel } from '../../main/engine/execution/text-model';
import { writeGgufModel } from '../../main/engine/export/gguf-model';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { LINEAR_ROLES, type ModelConfig } from '../../main/engine/model/config';
import { canLoseHeads } from '../../main/engine/model/families/index';
import { findNodeGroups } from '../../main/engine/pruning/dependencies/groups';
import { traceModel } from '../../main/engine/pruning/dependencies/trace';
import { openGates } from '../../main/engine/pruning/gate-scores';
import type { PruningPlan } from '../../main/engine/pruning/plan';
import { slicedView } from '../../main/engine/pruning/sliced-view';
import { findUnitGroups } from '../../main/engine/pruning/units';
import { Random } from '../../main/engine/support/random';
import { flattenGradients, LoraGradients } from '../../main/engine/training/lora-gradients';
import { withTemporaryFolder } from '../support/temporary-folder';

const FOLDER = path.join(import.meta.dirname, '..', 'golden', 'data', 'families');
/** Longer than every window of these models, and short enough for their positions. */
const IDS = Array.from({ length: 40 }, (_, at) => (at * 23 + 5) % 61);
const SHAPE = { batch: 1, length: IDS.length };

/** Why llama.cpp cannot open some of these models when they are narrower. */
const GGUF_REFUSES: Readonly<Record<string, RegExp>> = {
  // A scale of scores of its own; windows in other layers than llama.cpp assumes; fewer heads than its hidden width says.
  gemma2: /Gemma 2/, gemma3: /Gemma 3/, olmo: /OLMo/, 'phi3-partial-window': /Phi-3/,
};

/** Largest difference; fails on NaN. Float32 sums in another order, at values of a few units. */
function expectClose(actual: Float32Array, expected: Float32Array, tolerance = 5e-5): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, index) => {
    expect(Math.abs(value - (expected[index] ?? Number.NaN)) <= tolerance, `element ${index}: ${value} instead of ${expected[index]}`).toBe(true);
  });
}

function halved(config: ModelConfig): PruningPlan {
  const random = Random.fromSeed(4);
  const groups = findUnitGroups(config).map(({ layer, part, size }) => {
    const units = Array.from({ length: size }, (_, unit) => unit);
    random.shuffle(units);
    return { layer, part, size, kept: units.slice(0, Math.ceil(size / 2)).sort((a, b) => a - b), scores: [], locked: false };
  });
  return { groups };
}

function changedAdapter(config: ModelConfig): LoraAdapter {
  const random = Random.fromSeed(2);
  const adapter = createAdapter(config, { rank: 3, alpha: 6, targets: LINEAR_ROLES, random });
  for (const layer of adapter.layers) for (const { b } of layer.values()) b.data.forEach((_, at) => (b.data[at] = 0.1 * random.nextNormal()));
  return adapter;
}

describe.each(readdirSync(FOLDER))('%s', (name) => {
  let executor: Executor;
  let model: LoadedModel;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    const checkpoint = await openCheckpoint(path.join(FOLDER, name));
    model = await loadModel(checkpoint);
    await checkpoint.close();
  });
  afterAll(() => executor.dispose());

  const stream = (of: LoadedModel, adapter?: LoraAdapter): Promise<Float32Array> =>
    executor.forwardBlocks(of, executor.embed(of, IDS), SHAPE, adapter === undefined ? {} : { adapter });

  it('gives the same masked by gates and sliced', async () => {
    const plan = halved(model.config);
    const gates = openGates(model);
    for (const { layer, part, size, kept } of plan.groups) {
      for (let unit = 0; unit < size; unit++) if (!kept.includes(unit)) gates[layer]?.[part].fill(0, unit, unit + 1);
    }
    let masked: Float32Array = executor.embed(model, IDS);
    for (const [layer, gate] of gates.entries()) masked = await executor.forwardBlock(model, layer, masked, SHAPE, { gates: gate });
    expectClose(await stream(await loadModel(slicedView(asView(model), findUnitGroups(model.config), plan))), masked);
  });

  it('has units in every part that can lose some', () => {
    const parts = findUnitGroups(model.config).map(({ layer, part }) => `${layer} ${part}`);
    const wanted = model.config.layers.flatMap(({ kvHeads }, layer) => [...(kvHeads > 1 && canLoseHeads(model.config) ? [`${layer} attention`] : []), `${layer} mlp`]);
    expect(parts).toEqual(wanted);
    // Heads are found by the analysis wherever nothing but the programs that open such models forbids to cut them.
    const { graph, parameters } = traceModel(model.config, LINEAR_ROLES, 2);
    const heads = findNodeGroups(graph, new Set(parameters.keys())).filter(({ kind, unprunable }) => kind === 'head' && unprunable === null);
    expect(heads.length > 0).toBe(model.config.design.qkNorm !== 'all' && (model.config.layers[0]?.kvHeads ?? 0) > 1);
  });

  it('gives the same logits read in pieces with a cache, from turned weights too, as all at once', async () => {
    const all = await computeLogits(executor, model, IDS);
    const { vocabulary } = model.config;
    for (const reader of [model, await loadWritingModel(asView(model))]) {
      const cache = new KeyValueCache(model.config);
      let read = 0;
      for (const count of [11, 1, 1, 14, 13]) {
        const logits = await readTokens(executor, reader, IDS.slice(read, read + count), cache);
        read += count;
        expectClose(logits, all.subarray((read - 1) * vocabulary, read * vocabulary));
      }
    }
    expectClose(await computeViewLogits(executor, asView(model), IDS), all);
  });

  it.each(['safetensors', 'gguf'] as const)('comes back narrower from a %s file with the same logits, or is refused in words', (format) =>
    withTemporaryFolder(async (folder) => {
      const source = await openCheckpoint(path.join(FOLDER, name));
      const view = slicedView(source, findUnitGroups(source.config), halved(source.config));
      const target = path.join(folder, format === 'gguf' ? 'model.gguf' : 'model');
      const write = (): Promise<unknown> =>
        format === 'gguf' ? writeGgufModel(view, source, target, { dtype: 'F32' }) : writeSafetensorsModel(view, source, target, { dtype: 'F32' });
      const refused = format === 'gguf' ? GGUF_REFUSES[name] : undefined;
      if (refused === undefined) {
        await write();
        const written = await openCheckpoint(target);
        // llama.cpp knows no window for Mistral and Phi-3; the file's notes tell it.
        const ids = format === 'gguf' ? IDS.slice(0, 9) : IDS;
        expect(await computeViewLogits(executor, written, ids)).toEqual(await computeViewLogits(executor, view, ids));
        await written.close();
      } else {
        await expect(write()).rejects.toThrow(refused);
      }
      await source.close();
    }));

  it('treats sequences of a batch apart', async () => {
    const other = [...IDS].reverse();
    const both = await executor.forwardBlocks(model, executor.embed(model, [...other, ...IDS], SHAPE), { batch: 2, length: IDS.length });
    expectClose(both.subarray(both.length / 2), await stream(model));
  });

  it('gives the same with LoRA beside it and merged into it', async () => {
    const adapter = changedAdapter(model.config);
    expectClose(await stream(await loadModel(mergedView(asView(model), adapter))), await stream(model, adapter));
  });

  it('has the same gradients with activations saved and computed again, and nearly the same in 8 bits', async () => {
    const adapter = changedAdapter(model.config);
    const gates = openGates(model);
    const options = { gates, separatorId: 5 };
    const batch = [IDS.slice(0, 20), IDS.slice(12, 40)];
    const saved = await new LoraGradients(executor, model, adapter).compute(batch, options);
    const expected = flattenGradients(adapter, saved).map((gradient) => gradient.slice());
    const again = await new LoraGradients(executor, model, adapter, { recompute: true }).compute(batch, options);
    flattenGradients(adapter, again).forEach((gradient, index) => {
      expectClose(gradient, expected[index] ?? gradient, 1e-5);
    });
    const rough = await new LoraGradients(executor, model, adapter, { int8: true }).compute(batch, options);
    const [difference, square] = flattenGradients(adapter, rough).reduce<readonly [number, number]>(
      ([sum, whole], gradient, index) => {
        gradient.forEach((value, at) => {
          const exact = expected[index]?.[at] ?? Number.NaN;
          sum += (value - exact) ** 2;
          whole += exact ** 2;
        });
        return [sum, whole] as const;
      },
      [0, 0],
    );
    expect(Math.sqrt(difference / square)).toBeLessThan(0.05);
  });
});

describe('windows shorter than the blocks in which long texts attend', () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
  });
  afterAll(() => executor.dispose());

  it.each(['mistral-window', 'phi3-partial-window', 'gemma2', 'gemma3'])('%s', async (name) => {
    const checkpoint = await openCheckpoint(path.join(FOLDER, name));
    const model = await loadModel(checkpoint);
    await checkpoint.close();
    expect(model.config.design.windows.some((window) => window > 0 && window < 64)).toBe(true);
    const ids = Array.from({ length: 128 }, (_, at) => (at * 17 + 3) % 61);
    const inBlocks = await computeLogits(executor, model, ids);
    // Read in pieces, which have no blocks.
    const cache = new KeyValueCache(model.config);
    let read = 0;
    for (const count of [70, 57, 1]) {
      const logits = await readTokens(executor, model, ids.slice(read, read + count), cache);
      read += count;
      expectClose(logits, inBlocks.subarray((read - 1) * model.config.vocabulary, read * model.config.vocabulary));
    }
  });
});
