import { describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { asView, loadModel } from '../../../main/engine/execution/loaded-model';
import { writeSafetensorsModel } from '../../../main/engine/export/safetensors-model';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';
import { shapesAfter, type PruningPlan } from '../../../main/engine/pruning/plan';
import { slicedView } from '../../../main/engine/pruning/sliced-view';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { errorOf } from '../../support/error-of';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { readAll, tinyConfig, writeTinyFolder } from '../../support/tiny-model';

describe('A plan that leaves a layer without a part', () => {
  it.each(['attention', 'mlp'] as const)('(%s) is refused in words: neither the engine nor most programs have such layers', (part) => {
    const config = tinyConfig();
    const plan: PruningPlan = { groups: [{ layer: 1, part, size: part === 'mlp' ? 24 : 2, kept: [], scores: [], locked: false }] };
    expect(errorOf(() => shapesAfter(config, plan))).toMatchObject({ code: 'plan', message: `The plan leaves layer 1 without ${part === 'mlp' ? 'feed-forward channels' : 'attention'}.` });
  });
});

describe('A model whose layers lack a part already', () => {
  it.each(['num_attention_heads', 'num_key_value_heads', 'intermediate_size'])('is refused when it is opened, with the setting that says so: %s', (setting) =>
    withTemporaryFolder(async (root) => {
      await writeTinyFolder(join(root, 'source'), {}, { settings: { [setting]: [setting === 'intermediate_size' ? 24 : 2, 0] } });
      await expect(openCheckpoint(join(root, 'source'))).rejects.toMatchObject({ message: expect.stringMatching(new RegExp(`${setting}.*from 1 on`)) as unknown });
    }));
});

describe('A checkpoint sliced on its way into another file', () => {
  it.each([
    { name: 'in its own type, by rows', type: 'F32' as const, dtype: 'F32' as const },
    { name: 'of bfloat16', type: 'BF16' as const, dtype: 'F32' as const },
  ])('is what slicing the model in memory gives: $name', ({ type, dtype }) =>
    withTemporaryFolder(async (root) => {
      const biases = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;
      await writeTinyFolder(join(root, 'source'), { biases }, { type, settings: { attention_bias: true, mlp_bias: true } });
      const source = await openCheckpoint(join(root, 'source'));
      try {
        const groups = findUnitGroups(source.config);
        const plan: PruningPlan = {
          groups: groups.map(({ layer, part, size }) => {
            const kept = Array.from({ length: size }, (_, unit) => unit).filter((unit) => (unit + layer) % (part === 'mlp' ? 3 : 2) !== 0);
            return { layer, part, size, kept, scores: [], locked: false };
          }),
        };
        const expected = await readAll(slicedView(asView(await loadModel(source)), groups, plan));
        const view = slicedView(source, groups, plan);
        expect(await readAll(view)).toEqual(expected);
        const { notes } = await writeSafetensorsModel(view, source, join(root, 'out'), { dtype });
        expect(notes).toEqual([]);
        const written = await openCheckpoint(join(root, 'out'));
        expect(await readAll(written)).toEqual(expected);
        expect(written.config.layers).toEqual(view.config.layers);
        await written.close();
      } finally {
        await source.close();
      }
    }));
});
