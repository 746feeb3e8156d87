/** Why each unit stays or goes: every reason told, thresholds by period and cluster, nothing that a spreadsheet runs. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeCsv, type Cell } from '../../../main/engine/export/csv';
import { PLAN_COLUMNS, planRows, planTableBytes, type PlanTableInput } from '../../../main/engine/jobs/plan-table';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { tinyConfig } from '../../support/tiny-model';
import { withTemporaryFolder } from '../../support/temporary-folder';

const base = { model: 'm', out: 'o', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 0, sources: [{ kind: 'text', path: 'a', name: 'a' }] } as const;

/** Two layers: the first one's channels go in two periods, the second one's attention is locked. */
const input: PlanTableInput = {
  recipe: completeRecipe({ ...base, mode: 'quality' }),
  sources: ['web', '=code'],
  plan: {
    groups: [
      { layer: 0, part: 'attention', size: 2, kept: [0, 1], scores: [0.5, 0.7], removedIn: [null, null], locked: true },
      { layer: 0, part: 'mlp', size: 4, kept: [2, 3], scores: [0.1, 0.4, 0.6, 0.3], removedIn: [0, 1, null, null], locked: false },
      { layer: 1, part: 'mlp', size: 3, kept: [0, 2], scores: [0.9, 0.2, 0.5], removedIn: [null, 0, null], locked: false },
    ],
  },
  analysis: {
    gates: [], estimates: [], locked: [0],
    deviations: [{ group: 0, deviations: [0.25, 1.75] }, { group: 1, deviations: [0.125, -0.5] }, { group: 2, deviations: [0, 0] }],
    unitDeviations: [[0.5, 0.7], null, null],
  },
};

/** Rows by column. */
function rowsOf(of: PlanTableInput): Record<string, Cell>[] {
  return [...planRows(of)].map((row) => Object.fromEntries(PLAN_COLUMNS.map((name, at) => [name, row[at] ?? null])));
}

describe('the table of a plan', () => {
  it('has a row for every unit, with its score and what its group means to the texts', () => {
    const rows = rowsOf(input);
    expect(rows).toHaveLength(9);
    expect(rows[2]).toEqual({
      'layer (from 1)': 1, part: 'mlp', 'unit (from 1)': 1, kept: 'no', score: 0.1, threshold: 0.2, 'scored by': 'gateTaylor', 'removed in period': 1,
      'rise of the mean loss when its group is pruned alone': -0.1875, 'text that suffers most then': 'web', 'rise for that text': 0.125, 'group kept whole': 'no', why: 'among the lowest scores',
    });
    expect(rows[0]).toMatchObject({ 'scored by': 'rise of the loss without this unit', 'text that suffers most then': '=code', 'group kept whole': 'yes', threshold: null, why: 'its group is among the most sensitive' });
  });

  it('compares units of all layers where they compete, each with the period that decided about it', () => {
    const told = rowsOf(input).slice(2).map(({ threshold, why }) => [threshold, why]);
    expect(told).toEqual([
      [0.2, 'among the lowest scores'],
      [0.4, 'among the lowest scores'],
      [0.4, 'its score is not below the threshold'],
      [0.4, 'its group may lose no more'],
      [0.4, 'its score is not below the threshold'],
      [0.2, 'among the lowest scores'],
      [0.4, 'its score is not below the threshold'],
    ]);
  });

  it('compares units of a layer alone where all layers end equal', () => {
    const groups = input.plan.groups.map((group) => ({ ...group, locked: false }));
    const rows = rowsOf({ ...input, plan: { groups }, recipe: completeRecipe({ ...base, mode: 'everywhere', method: { criteria: { magnitude: 0.5, cosine: 0.25, taylorFirst: 0 } } }) });
    expect(rows[0]).toMatchObject({ threshold: null, why: 'nothing of this kind had to go' });
    expect(rows[8]).toMatchObject({ threshold: 0.2, 'scored by': '0.5 magnitude + 0.25 cosine', why: 'its score is not below the threshold' });
  });

  it('says of what the user locked that it was the user', () => {
    const groups = input.plan.groups.map((group) => ({ ...group, lockedByUser: group.locked }));
    expect(rowsOf({ ...input, plan: { groups } })[0]).toMatchObject({ 'group kept whole': 'yes', threshold: null, why: 'locked by you' });
  });

  it('tells plans without periods too', () => {
    const groups = input.plan.groups.map(({ layer, part, size, kept, scores, locked }) => ({ layer, part, size, kept, scores, locked }));
    expect(rowsOf({ ...input, plan: { groups } })[2]).toMatchObject({ threshold: 0.4, 'removed in period': null, kept: 'no' });
  });

  it('takes no more bytes than were foreseen, and not far fewer', async () => {
    await withTemporaryFolder(async (folder) => {
      const layers = [0, 1].map(() => ({ heads: 4, kvHeads: 4, ffn: 400 }));
      const sources = ['Letters to my aunt, ünïcode'];
      const recipe = completeRecipe({ ...base, mode: 'everywhere', sources: sources.map((name) => ({ kind: 'text', path: 'a', name })), method: { criteria: { magnitude: 0.5, cosine: 0.25, taylorFirst: 0.125 } } });
      const groups = layers.flatMap(({ kvHeads, ffn }, layer) => ([['attention', kvHeads], ['mlp', ffn]] as const).map(([part, size]) => ({
        layer, part, size, kept: [...Array(size).keys()].filter((unit) => unit % 3 > 0), scores: [...Array(size).keys()].map((unit) => -Math.exp(-unit) / 3),
        removedIn: [...Array(size).keys()].map((unit) => (unit % 3 > 0 ? null : 9)), locked: false,
      })));
      const deviations = groups.map((_, group) => ({ group, deviations: [-1.23456e-7] }));
      const analysis = { ...input.analysis, locked: [], deviations, unitDeviations: groups.map(({ scores }, at) => (at % 2 === 0 ? scores : null)) };
      const file = join(folder, 'plan.csv');
      await writeCsv(file, PLAN_COLUMNS, planRows({ plan: { groups }, analysis, recipe, sources }));
      const { size } = await stat(file);
      const foreseen = planTableBytes(tinyConfig({ layers }), recipe);
      expect(size).toBeLessThanOrEqual(foreseen);
      expect(size).toBeGreaterThan(foreseen / 3);
    });
  });

  it('is written with texts that no spreadsheet runs, however long it is', async () => {
    await withTemporaryFolder(async (folder) => {
      const file = join(folder, 'plan.csv');
      await writeCsv(file, PLAN_COLUMNS, planRows(input));
      const [header, first] = (await readFile(file, 'utf8')).split('\r\n');
      expect(header).toBe(`\uFEFF${PLAN_COLUMNS.join(',')}`);
      expect(first).toBe("1,attention,1,yes,0.5,,rise of the loss without this unit,,1,'=code,1.75,yes,its group is among the most sensitive");
      await writeCsv(file, ['n'], Array.from({ length: 5000 }, (_, at) => [at]));
      const lines = (await readFile(file, 'utf8')).split('\r\n');
      expect([lines.length, lines[1], lines[5000], lines[5001]]).toEqual([5002, '0', '4999', '']);
      await expect(writeCsv(file, ['n'], [], 'wx')).rejects.toThrow();
    });
  });
});
