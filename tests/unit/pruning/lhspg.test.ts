import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { lorashearSchema, type LorashearSettings } from '../../../preload/contract/recipe';
import { createAdapter } from '../../../main/engine/execution/adapter';
import { Executor } from '../../../main/engine/execution/executor';
import { asView, layerOf, loadModel, type LoadedModel } from '../../../main/engine/execution/loaded-model';
import { LINEAR_ROLES } from '../../../main/engine/model/config';
import { scoreGates } from '../../../main/engine/pruning/gate-scores';
import { runLhspg, shareOfPeriod } from '../../../main/engine/pruning/lhspg';
import type { PruningBudget, PruningPlan } from '../../../main/engine/pruning/plan';
import { shrinkUnit } from '../../../main/engine/pruning/shrink';
import { slicedView } from '../../../main/engine/pruning/sliced-view';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { Random } from '../../../main/engine/support/random';
import { tinyConfig, tinyView } from '../../support/tiny-model';

const SEQUENCES = Array.from({ length: 4 }, (_, row) => Int32Array.from({ length: 12 }, (_unused, at) => (row * 7 + at * 5) % 48));

describe('LHSPG', () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
  });
  afterAll(() => executor.dispose());

  const makeModel = (): Promise<LoadedModel> => loadModel(tinyView(tinyConfig({ layers: [{ heads: 4, kvHeads: 4, ffn: 24 }, { heads: 4, kvHeads: 4, ffn: 24 }] }), 9));

  async function prune(settings: Partial<LorashearSettings>, budget: PruningBudget, steps = 8): Promise<{ model: LoadedModel; plan: PruningPlan }> {
    const model = await makeModel();
    const adapter = createAdapter(model.config, { rank: 2, alpha: 4, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
    const groups = findUnitGroups(model.config);
    const gates = await scoreGates(executor, model, adapter, SEQUENCES);
    const plan = await runLhspg(executor, model, adapter, groups, {
      settings: { ...v.parse(lorashearSchema, {}), ...settings },
      budget,
      locked: [],
      gates,
      warmupSteps: Math.min(2, steps),
      pruningSteps: steps,
      learningRate: 1e-3,
      trainer: {},
      nextBatch: () => SEQUENCES.slice(0, 2),
      signal: new AbortController().signal,
      onStep: () => undefined,
    });
    return { model, plan };
  }

  it.each(['halfSpace', 'linearDecay'] as const)('leaves a model whose slice is its zeroed self (%s)', async (shrink) => {
    const { model, plan } = await prune({ shrink }, { mode: 'everywhere', kvHeads: 3, ffn: 17 });
    const sliced = await loadModel(slicedView(asView(model), findUnitGroups(model.config), plan));
    expect(sliced.config.layers).toEqual([{ heads: 3, kvHeads: 3, ffn: 17 }, { heads: 3, kvHeads: 3, ffn: 17 }]);
    const run = (of: LoadedModel): Promise<Float32Array> =>
      executor.forwardBlocks(of, executor.embed(of, SEQUENCES[0] ?? []), { batch: 1, length: 12 });
    const [zeroed, small] = [await run(model), await run(sliced)];
    zeroed.forEach((value, at) => {
      expect(Math.abs(value - (small[at] ?? Number.NaN)) <= 1e-5).toBe(true);
    });
  });

  it('keeps units gone that went in an earlier period, heads too', async () => {
    const { model, plan } = await prune({ periods: 3 }, { mode: 'everywhere', kvHeads: 1, ffn: 6 }, 12);
    const sliced = await loadModel(slicedView(asView(model), findUnitGroups(model.config), plan));
    const run = (of: LoadedModel): Promise<Float32Array> =>
      executor.forwardBlocks(of, executor.embed(of, SEQUENCES[0] ?? []), { batch: 1, length: 12 });
    const [zeroed, small] = [await run(model), await run(sliced)];
    zeroed.forEach((value, at) => {
      expect(Math.abs(value - (small[at] ?? Number.NaN)) <= 1e-5).toBe(true);
    });
  });

  it('makes the same plan for the same seed', async () => {
    const budget = { mode: 'quality', kvGroupsRemoved: 2, channelsRemoved: 15 } as const;
    expect((await prune({}, budget)).plan).toEqual((await prune({}, budget)).plan);
  });

  it('meets a total budget exactly, over all periods', async () => {
    const { plan } = await prune({ periods: 3 }, { mode: 'quality', kvGroupsRemoved: 3, channelsRemoved: 13 });
    const removed = (part: string): number => plan.groups.filter((group) => group.part === part).reduce((sum, group) => sum + group.size - group.kept.length, 0);
    expect([removed('attention'), removed('mlp')]).toEqual([3, 13]);
  });

  it('prunes without a single training step', async () => {
    const { plan } = await prune({}, { mode: 'everywhere', kvHeads: 4, ffn: 12 }, 0);
    expect(plan.groups.filter((group) => group.part === 'mlp').map((group) => group.kept.length)).toEqual([12, 12]);
  });

  it('can rank by the criteria of the released code', async () => {
    const criteria = { magnitude: 0.2, averageMagnitude: 0.2, cosine: 0.2, taylorFirst: 0.2, taylorSecond: 0.2 };
    const { plan } = await prune({ criteria }, { mode: 'everywhere', kvHeads: 4, ffn: 12 });
    expect(plan.groups.every((group) => group.part === 'attention' || group.kept.length === 12)).toBe(true);
  });

  it('shares a whole out over periods, the remainder last', () => {
    expect([0, 1, 2].map((period) => shareOfPeriod(8, period, 3))).toEqual([2, 2, 4]);
  });

  it('shrinks a unit evenly to exactly zero over a period and folds its LoRA into it', async () => {
    const model = await makeModel();
    const adapter = createAdapter(model.config, { rank: 2, alpha: 4, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
    const group = findUnitGroups(model.config).find(({ part }) => part === 'mlp');
    const gate = model.layers[0]?.tensors.get('gate');
    const factors = adapter.layers[0]?.get('gate');
    if (group === undefined || gate === undefined || factors === undefined) throw new Error('the tiny model has a gate');
    const row = gate.data.subarray(5 * 32, 6 * 32);
    const before = row.slice();
    const norms: number[] = [];
    for (let stepsLeft = 4; stepsLeft > 0; stepsLeft--) {
      shrinkUnit(layerOf(model, 0), adapter, { group, unit: 5 }, { stepsLeft, epsilon: 0, rule: 'halfSpace' });
      norms.push(Math.hypot(...row) / Math.hypot(...before));
    }
    norms.forEach((norm, step) => {
      expect(norm).toBeCloseTo([0.75, 0.5, 0.25, 0][step] ?? 1, 5);
    });
    factors.b.data.fill(0.5, 6 * 2, 7 * 2);
    shrinkUnit(layerOf(model, 0), adapter, { group, unit: 6 }, { stepsLeft: 4, epsilon: -10, rule: 'halfSpace' });
    expect([...factors.b.data.subarray(12, 14)]).toEqual([0, 0]);
  });

  it('projects a unit to zero once it points into the other half-space', async () => {
    const model = await makeModel();
    const adapter = createAdapter(model.config, { rank: 2, alpha: 4, targets: ['gate'], random: Random.fromSeed(1) });
    const group = findUnitGroups(model.config).find(({ part }) => part === 'mlp');
    const factors = adapter.layers[0]?.get('gate');
    const tensors = model.layers[0]?.tensors;
    const [gate, up] = [tensors?.get('gate'), tensors?.get('up')];
    if (group === undefined || factors === undefined || gate === undefined || up === undefined) throw new Error('the tiny model has a gate');
    // LoRA that turns the row around: A holds the row itself, B takes it off three times.
    factors.a.data.set(gate.data.subarray(0, 32), 0);
    factors.b.data[0] = -3 / adapter.scale;
    up.data.fill(0, 0, 32);
    shrinkUnit(layerOf(model, 0), adapter, { group, unit: 0 }, { stepsLeft: 10, epsilon: 0, rule: 'halfSpace' });
    expect(Math.hypot(...gate.data.subarray(0, 32))).toBe(0);
    factors.b.data[0] = 0.5;
    shrinkUnit(layerOf(model, 0), adapter, { group, unit: 0 }, { stepsLeft: 9, epsilon: 0, rule: 'halfSpace' });
    expect(Math.hypot(...gate.data.subarray(0, 32))).toBe(0);
  });
});
