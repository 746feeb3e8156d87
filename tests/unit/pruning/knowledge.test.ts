import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Executor } from '../../../main/engine/execution/executor';
import { asView, loadModel, type LoadedModel } from '../../../main/engine/execution/loaded-model';
import { measureWindows } from '../../../main/engine/evaluation/perplexity';
import { analyseKnowledge, keptAtRatio, KnowledgeProbe, mostSensitive } from '../../../main/engine/pruning/knowledge';
import { slicedView } from '../../../main/engine/pruning/sliced-view';
import { findUnitGroups, type UnitGroup } from '../../../main/engine/pruning/units';
import { loadExample } from '../../support/example-model';

const window = (start: number): number[] => Array.from({ length: 32 }, (_, at) => 259 + ((start + at * 7) % 200));
const SOURCES = [
  { name: 'one', windows: [window(1), window(5)] },
  { name: 'two', windows: [window(40)] },
];

describe('knowledge distribution analysis', () => {
  let executor: Executor;
  let model: LoadedModel;
  let groups: UnitGroup[];
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    model = await loadExample();
    groups = findUnitGroups(model.config);
  });
  afterAll(() => executor.dispose());

  it('finds, from kept prefixes, the deviation that pruning the group alone really makes', async () => {
    const scores = groups.map((group) => Array.from({ length: group.size }, (_, unit) => (unit * 7) % group.size));
    const probe = new KnowledgeProbe(executor, model, SOURCES, 2);
    await probe.prepare();
    const found = await analyseKnowledge(probe, groups, scores, { ratio: 0.5 });
    expect(found).toHaveLength(10);
    for (const index of [0, 3, 9]) {
      const group = groups[index];
      if (group === undefined) throw new Error('the example has five layers');
      const kept = keptAtRatio(scores[index] ?? [], 0.5);
      const plan = { groups: [{ layer: group.layer, part: group.part, size: group.size, kept, scores: [], locked: false }] };
      const pruned = await loadModel(slicedView(asView(model), groups, plan));
      for (const [at, source] of SOURCES.entries()) {
        const rise = (await measureWindows(executor, pruned, source.windows, {})).nll - (await measureWindows(executor, model, source.windows, {})).nll;
        expect(Math.abs(rise - (found[index]?.deviations[at] ?? Number.NaN)) <= 1e-4, `group ${index}, source ${at}`).toBe(true);
      }
    }
  });

  it('keeps the most salient, and always leaves and takes at least one', () => {
    expect(keptAtRatio([5, 1, 3, 2], 0.5)).toEqual([0, 2]);
    expect(keptAtRatio([5, 1, 3], 0)).toEqual([0, 2]);
    expect(keptAtRatio([5, 1, 3], 1)).toEqual([0]);
  });

  it('marks the groups with the largest mean deviation unprunable', () => {
    const found = [0.1, 0.9, 0.2, 0.5].map((deviation, group) => ({ group, deviations: [deviation, 0] }));
    expect(mostSensitive(found, 0.5)).toEqual([1, 3]);
    expect(mostSensitive(found, 0)).toEqual([]);
  });

  it('can be cancelled between layers', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(new KnowledgeProbe(executor, model, SOURCES, 2).prepare(controller.signal)).rejects.toMatchObject({ code: 'cancelled' });
  });
});
