/** The limits of pruning as whole runs: extreme ratios, one layer, no training, little text, locks. Each works, or is refused before the run. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exampleModel, starterTexts } from '../../../main/engine/jobs/bundled';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { executeFolder, prepareRun } from '../../../main/engine/jobs/start';
import { Random } from '../../../main/engine/support/random';
import type { Recipe, RecipeInput } from '../../../preload/contract/recipe';
import type { RunEvent, RunResult } from '../../../preload/contract/run';
import { writeTinyFolder, type TinyOptions } from '../../support/tiny-model';

const speed = { forwardTokensPerSecond: 4000, trainTokensPerSecond: 1000, recoverTokensPerSecond: 1000 };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-limits-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A random model and `count` random ids to go with it. */
async function tiny(options: TinyOptions, count = 400): Promise<Pick<RecipeInput, 'model' | 'sources'>> {
  const model = join(folder, 'model');
  const { config } = await writeTinyFolder(model, options);
  const random = Random.fromSeed(5);
  const path = join(folder, 'ids.json');
  await writeFile(path, JSON.stringify(Array.from({ length: count }, () => random.nextInteger(config.vocabulary))));
  return { model, sources: [{ kind: 'ids', path, name: 'ids' }] };
}

function recipe(input: Pick<RecipeInput, 'model' | 'sources' | 'size'> & Partial<RecipeInput>): Recipe {
  return completeRecipe({
    out: join(folder, 'out'), budgetTokens: 0, exports: [{ format: 'safetensors', dtype: 'F32' }], training: { length: 16, batch: 2 }, ...input,
    method: { analysisTokens: 32, ...input.method },
  });
}

async function compress(of: Recipe, emit: (event: RunEvent) => void = () => undefined): Promise<RunResult> {
  const run = await prepareRun(of, join(folder, 'runs'), { speed });
  const result = await executeFolder(run, { threads: 1, signal: new AbortController().signal, emit });
  await rm(of.out, { recursive: true });
  return result;
}

/** The refusal of a recipe before its run; nothing may be left of one. */
async function refusal(of: Recipe): Promise<unknown> {
  const error: unknown = await prepareRun(of, join(folder, 'runs'), { speed }).catch((thrown: unknown) => thrown);
  expect((await readdir(folder)).includes('runs') ? await readdir(join(folder, 'runs')) : []).toEqual([]);
  return error;
}

const THREE: TinyOptions = { layers: Array.from({ length: 3 }, () => ({ heads: 4, kvHeads: 4, ffn: 64 })) };

describe('a ratio', () => {
  it.each(['everywhere', 'quality'] as const)('from 5 to 80 percent works in mode %s', async (mode) => {
    const model = await tiny(THREE);
    for (const ratio of [0.05, 0.4, 0.8]) {
      const { removedFraction, layers } = await compress(recipe({ ...model, mode, size: { kind: 'ratio', ratio } }));
      // A channel in each of the three layers is 96 of 10240 linear parameters.
      expect(Math.abs(removedFraction - ratio)).toBeLessThan(0.01);
      expect(layers.every(({ kvHeads, ffn }) => kvHeads > 0 && ffn > 0)).toBe(true);
    }
  });

  it.each(['everywhere', 'quality'] as const)('of 80 percent works on the bundled model in mode %s', async (mode) => {
    const [text] = await starterTexts();
    const sources: RecipeInput['sources'] = [{ kind: 'text', path: text?.path ?? '', name: 'stories' }];
    const result = await compress(recipe({ model: exampleModel(), sources, mode, size: { kind: 'ratio', ratio: 0.8 }, exports: [{ format: 'gguf', dtype: 'F16' }], training: { length: 64 } }));
    expect(Math.abs(result.removedFraction - 0.8)).toBeLessThan(0.005);
  });
});

describe('a model of one layer', () => {
  it.each(['everywhere', 'quality'] as const)('is pruned, trained and written in mode %s', async (mode) => {
    const model = await tiny({ layers: [{ heads: 4, kvHeads: 2, ffn: 40 }] });
    const { removedFraction, layers } = await compress(recipe({ ...model, mode, size: { kind: 'ratio', ratio: 0.4 }, budgetTokens: 320 }));
    expect(Math.abs(removedFraction - 0.4)).toBeLessThan(0.02);
    expect(layers).toHaveLength(1);
  });
});

describe('no training', () => {
  it('still refits what is left, from the same texts, and the refit helps', async () => {
    const [text] = await starterTexts();
    const base = { model: exampleModel(), sources: [{ kind: 'text', path: text?.path ?? '', name: 'stories' }], size: { kind: 'ratio', ratio: 0.3 }, training: { length: 128 } } as const;
    const events: RunEvent[] = [];
    const plain = await compress(recipe({ ...base, sources: [...base.sources] }), (event) => events.push(event));
    const refitted = await compress(recipe({ ...base, sources: [...base.sources], method: { compensation: 'refit', compensationTokens: 8192 } }));
    expect(events.filter(({ type }) => type === 'loss')).toEqual([]);
    const [before, after] = [plain.perplexities[0], refitted.perplexities[0]];
    expect(after?.recovered).toBeLessThan(0.8 * (before?.recovered ?? 0));
    expect(after?.full).toBe(before?.full);
    expect(after?.recovered).toBe(after?.pruned);
  });

  it('is what a budget of less than a step is refused for, before the run', async () => {
    const model = await tiny(THREE);
    expect(await refusal(recipe({ ...model, size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 31 }))).toMatchObject({ code: 'usage', message: expect.stringContaining('less than one training step') as unknown });
  });
});

describe('little text', () => {
  it('of two pieces is enough: one to learn from, one to measure', async () => {
    const model = await tiny(THREE, 32);
    const { perplexities } = await compress(recipe({ ...model, size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 320 }));
    expect(perplexities).toMatchObject([{ source: 'ids', tokens: 15 }]);
  });

  it('of less is refused before the run, with the length that it allows', async () => {
    const model = await tiny(THREE, 31);
    expect(await refusal(recipe({ ...model, size: { kind: 'ratio', ratio: 0.2 } }))).toMatchObject({
      code: 'text', message: expect.stringMatching(/"ids" has too little text.*It has 31 tokens/) as unknown, hint: expect.stringContaining('a text length of 15 or less') as unknown,
    });
    const path = join(folder, 'a.txt');
    await writeFile(path, 'Hi');
    const sources: RecipeInput['sources'] = [{ kind: 'text', path, name: 'a' }, ...model.sources];
    expect(await refusal(recipe({ model: exampleModel(), sources, size: { kind: 'ratio', ratio: 0.2 } }))).toMatchObject({ code: 'text', message: expect.stringMatching(/"a" has too little text.*"ids" has too little text/s) as unknown });
  });

  it('of one language alone works, and its perplexity is the only one', async () => {
    const code = (await starterTexts()).find(({ path }) => path.endsWith('code.jsonl'));
    const sources: RecipeInput['sources'] = [{ kind: 'text', path: code?.path ?? '', name: 'code' }];
    const { perplexities } = await compress(recipe({ model: exampleModel(), sources, mode: 'quality', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 256 }));
    expect(perplexities.map(({ source }) => source)).toEqual(['code']);
  });
});

describe('locks', () => {
  it('keep parts whole in "best quality", say so in the plan, the layers and the result, and the size is met without them', async () => {
    const model = await tiny(THREE);
    const of = recipe({ ...model, mode: 'quality', size: { kind: 'ratio', ratio: 0.5 }, locks: ['1:mlp', 'last:attention'], budgetTokens: 64 });
    const run = await prepareRun(of, join(folder, 'runs'), { speed });
    const events: RunEvent[] = [];
    const { layers, removedFraction } = await executeFolder(run, { threads: 1, signal: new AbortController().signal, emit: (event) => events.push(event) });
    expect(Math.abs(removedFraction - 0.5)).toBeLessThan(0.01);
    expect(layers[0]).toMatchObject({ ffn: 64, locked: { mlp: 'user' } });
    expect(layers[2]).toMatchObject({ kvHeads: 4, locked: { attention: 'user', mlp: null } });
    expect(events.flatMap((event) => (event.type === 'layer' ? [event.locked] : []))).toEqual(layers.map(({ locked }) => locked));
    const rows = (await readFile(join(of.out, 'plan.csv'), 'utf8')).split('\r\n').filter((row) => row.includes('locked by you'));
    expect(rows).toHaveLength(64 + 4);
    expect(rows.every((row) => row.startsWith('1,mlp,') || row.startsWith('3,attention,'))).toBe(true);
  });

  it('of layers that are not there, and that leave too little, are refused before the run', async () => {
    const model = await tiny(THREE);
    const size = { kind: 'ratio', ratio: 0.5 } as const;
    expect(await refusal(recipe({ ...model, size, locks: ['7:mlp'] }))).toMatchObject({ code: 'plan', message: expect.stringContaining('7:mlp') as unknown });
    expect(await refusal(recipe({ ...model, mode: 'quality', size, locks: ['*:mlp'] }))).toMatchObject({
      code: 'plan', message: expect.stringMatching(/at most .*What you keep whole/) as unknown, hint: expect.stringContaining('fewer parts') as unknown,
    });
    expect(await refusal(recipe({ ...model, size, locks: ['2:mlp'] }))).toMatchObject({
      code: 'plan', message: expect.stringContaining('stays whole in all') as unknown, hint: expect.stringContaining('"best quality"') as unknown,
    });
  });

  it('of one part hold in all layers where these end equal, and the other part gives the size', async () => {
    const model = await tiny(THREE);
    const { layers } = await compress(recipe({ ...model, size: { kind: 'ratio', ratio: 0.2 }, locks: ['2:mlp'] }));
    expect(layers.map(({ kvHeads, ffn }) => [kvHeads, ffn])).toEqual([[2, 64], [2, 64], [2, 64]]);
  });
});
