/** The analysis on its own: the figures of a run's analyse stage, and its table for spreadsheets. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { csvLines } from '../../../main/engine/export/csv';
import { analyzeModel, writeAnalysisCsv, type AnalyzedModel } from '../../../main/engine/jobs/analyze-model';
import { exampleModel, starterTexts } from '../../../main/engine/jobs/bundled';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { RunFolder } from '../../../main/engine/jobs/run-folder';
import { analyseStep } from '../../../main/engine/jobs/steps/analyse';
import { prepareStep } from '../../../main/engine/jobs/steps/prepare';
import { ANALYSIS_FILE, analysisSchema } from '../../../main/engine/jobs/steps/stage-files';
import { NO_PHASES } from '../../../main/engine/support/checkpoint';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-analyze-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const common = { threads: 1, memoryLimitBytes: Number.POSITIVE_INFINITY, signal: new AbortController().signal };

async function twoTexts(): Promise<{ kind: 'text'; path: string; name: string }[]> {
  const [one, two] = await starterTexts();
  if (one === undefined || two === undefined) throw new Error('there are several starter texts');
  return [{ kind: 'text', path: one.path, name: '=HYPERLINK("a")' }, { kind: 'text', path: two.path, name: 'two' }];
}

describe('an analysis', () => {
  let analyzed: AnalyzedModel;
  const notes: string[] = [];
  beforeAll(async () => {
    analyzed = await analyzeModel(exampleModel(), { ...common, sources: await twoTexts(), onProgress: () => undefined, note: (text) => notes.push(text) });
  });

  it('is what a run finds, group by group, and counts their parameters', async () => {
    const { groups, rankCorrelation, ratio } = analyzed;
    const run = await RunFolder.create(folder, completeRecipe({
      model: exampleModel(), out: join(folder, 'out'), size: { kind: 'ratio', ratio: 0.1 }, mode: 'quality', budgetTokens: 0, sources: await twoTexts(),
    }));
    const context = {
      checkpoint: NO_PHASES, once: (_name: string, _schema: unknown, decide: () => Promise<never>) => decide(), ...common, recipe: await run.readRecipe(), folder: run, emit: () => undefined };
    await prepareStep.run(context, () => undefined);
    await analyseStep.run(context, () => undefined);
    const stored = await run.readJson(ANALYSIS_FILE, analysisSchema);
    expect(groups.map(({ deviation }) => Object.values(deviation))).toEqual(stored.deviations.map(({ deviations }) => deviations));
    expect(groups.map(({ estimate }) => estimate)).toEqual(stored.estimates);
    expect(groups.flatMap(({ locked }, index) => (locked ? [index] : []))).toEqual([...stored.locked].sort((a, b) => a - b));

    expect(ratio).toBe(0.25);
    expect(groups.map(({ layer, part }) => `${layer} ${part}`).slice(0, 3)).toEqual(['0 attention', '0 mlp', '1 attention']);
    // 8 query and 4 key/value heads of 8: q and o 64 x 64, k and v 32 x 64. Feed-forward: three of 172 x 64.
    expect(groups.slice(0, 2)).toMatchObject([{ units: 4, parameters: 2 * 64 * 64 + 2 * 32 * 64 }, { units: 172, parameters: 3 * 172 * 64 }]);
    expect(groups.every(({ estimate }) => estimate > 0)).toBe(true);
    expect(Math.abs(rankCorrelation.all ?? 2)).toBeLessThanOrEqual(1);
    // What was read of each text, and no warning.
    expect(notes).toEqual([expect.stringMatching(/^=HYPERLINK.* tokens were read, from 185 documents\.$/), expect.stringMatching(/^two: .* tokens were read, from 1 document\.$/)]);
  });

  it('is written as a table that no spreadsheet runs, and never over another file', async () => {
    const file = join(folder, 'map.csv');
    await writeAnalysisCsv(file, analyzed);
    const lines = (await readFile(file, 'utf8')).split('\r\n');
    expect(lines).toHaveLength(12);
    expect(lines[0]).toContain(',"deviation: =HYPERLINK(""a"")",deviation: two,mean deviation,');
    expect(lines[1]).toMatch(/^1,attention,4,12288,/);
    await writeFile(file, 'mine');
    await expect(writeAnalysisCsv(file, analyzed)).rejects.toMatchObject({ code: 'usage' });
    expect(await readFile(file, 'utf8')).toBe('mine');
  });
});

describe('a table as CSV', () => {
  const lines = (...cells: (string | number | null)[]): string => [...csvLines(['a'], [cells])][1] ?? '';

  it('quotes what needs quotes', () => {
    expect(lines('a,b', 'say "x"', 'two\nlines', ' space', null, 1.5)).toBe('"a,b","say ""x""","two\nlines"," space",,1.5\r\n');
  });

  it('marks texts that spreadsheets would run, and leaves negative numbers numbers', () => {
    expect(lines('=1+1', '+1', '-1', '@A1', ' =1', '\t=1')).toBe('\'=1+1,\'+1,\'-1,\'@A1,\' =1,\'\t=1\r\n');
    expect(lines(-0.5, 1e-7, Number.NaN)).toBe('-0.5,1e-7,\r\n');
  });
});
