/** What people type: options checked, recipes made of them, progress shown. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Arguments } from '../../../main/cli/arguments';
import { compress } from '../../../main/cli/commands/compress';
import { exportTarget, recipeFromArguments } from '../../../main/cli/recipe-options';
import { ProgressDisplay } from '../../../main/cli/terminal';
import { columns } from '../../../main/cli/words';
import type { Recipe } from '../../../preload/contract/recipe';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-cli-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function recipe(...argv: string[]): Promise<Recipe> {
  return recipeFromArguments(Arguments.parse(argv, compress.options, folder));
}

describe('a recipe from options', () => {
  it('has absolute paths, names and weights', async () => {
    const made = await recipe('tiny', '--out', 'small', '--ratio', '0.2', '--data', 'a/wiki.txt:2.5', '--data', 'b/wiki.txt', '--ids', 'code=c.json', '--ids', 'd.json');
    expect(made.model).toBe(join(folder, 'tiny'));
    expect(made.out).toBe(join(folder, 'small'));
    expect(made.sources).toEqual([
      { kind: 'text', path: join(folder, 'a/wiki.txt'), name: 'wiki', weight: 2.5, stage: 'pretraining' },
      { kind: 'text', path: join(folder, 'b/wiki.txt'), name: 'wiki-2', weight: 1, stage: 'pretraining' },
      { kind: 'ids', path: join(folder, 'c.json'), name: 'code', weight: 1, stage: 'pretraining' },
      { kind: 'ids', path: join(folder, 'd.json'), name: 'd', weight: 1, stage: 'pretraining' },
    ]);
  });

  it('keeps a colon that no number follows in the name of the file', async () => {
    const [source] = (await recipe('tiny', '--out', 'o', '--ratio', '0.2', '--data', 'part: one.txt')).sources;
    expect(source?.path).toBe(join(folder, 'part: one.txt'));
  });

  it('recovers questions with answers in the stage of instructions, the starter texts too', async () => {
    await writeFile(join(folder, 'tasks.jsonl'), '{"instruction":"Add","input":"1 2","output":"3"}\n');
    await writeFile(join(folder, 'chat.json'), '[{"messages":[{"role":"user","content":"Hi"}]}]');
    const made = await recipe('tiny', '--out', 'o', '--ratio', '0.2', '--data', 'tasks.jsonl:2', '--data', 'chat.json', '--data', 'missing.jsonl');
    expect(made.sources.map((source) => source.stage)).toEqual(['instruction', 'instruction', 'pretraining']);
    const starters = (await recipe('tiny', '--out', 'o', '--ratio', '0.2')).sources;
    expect(starters.filter((source) => source.stage === 'instruction').map((source) => source.name)).toEqual(['Instructions']);
  });

  it('refuses texts of which none counts, and pieces too short to predict anything', async () => {
    await expect(recipe('tiny', '--out', 'o', '--ratio', '0.2', '--data', 'a.txt:0', '--data', 'b.txt:0')).rejects.toMatchObject({ code: 'usage' });
    await expect(recipe('tiny', '--out', 'o', '--ratio', '0.2', '--data', 'a.txt', '--length', '1')).rejects.toMatchObject({ code: 'usage' });
  });

  it('takes a size as a share, as bytes, as parameters, or as the memory to run in', async () => {
    const size = async (...argv: string[]): Promise<Recipe['size']> => (await recipe('tiny', '--out', 'o', '--data', 'a.txt', ...argv)).size;
    expect(await size('--ratio', '0.2')).toEqual({ kind: 'ratio', ratio: 0.2 });
    expect(await size('--target-bytes', '500')).toEqual({ kind: 'bytes', bytes: 500 });
    expect(await size('--parameters', '1.5b')).toEqual({ kind: 'parameters', parameters: 1_500_000_000 });
    expect(await size('--fits', '8GB')).toEqual({ kind: 'memory', bytes: 8e9, context: 4096, allowance: 5e8 });
    expect(await size('--fits', '8GB', '--context', '100')).toMatchObject({ context: 100 });
  });

  it('takes locks one by one or between commas', async () => {
    expect((await recipe('tiny', '--out', 'o', '--ratio', '0.2', '--data', 'a.txt', '--lock', '3:mlp, 0-2:attention', '--lock', 'last:*')).locks).toEqual(['3:mlp', '0-2:attention', 'last:*']);
  });

  it('exports in every format that was asked for', async () => {
    const made = await recipe('tiny', '--out', 'o', '--ratio', '0.2', '--data', 'a.txt', '--format', 'gguf', '--format', 'safetensors', '--dtype', 'f32');
    expect(made.exports).toEqual([{ format: 'gguf', dtype: 'F32' }, { format: 'safetensors', dtype: 'F32' }]);
  });

  it('takes a recipe file, its paths from where it lies, and lets options override it', async () => {
    await writeFile(join(folder, 'recipe.json'), JSON.stringify({
      model: 'tiny', out: 'small', size: { kind: 'ratio', ratio: 0.3 }, budgetTokens: 5, seed: 7, sources: [{ kind: 'text', path: 'a.txt', name: 'a' }],
    }));
    const made = await recipe('--recipe', 'recipe.json', '--out', 'other', '--seed', '9');
    expect(made).toMatchObject({ model: join(folder, 'tiny'), out: join(folder, 'other'), size: { ratio: 0.3 }, budgetTokens: 5, seed: 9 });
    expect(made.sources[0]?.path).toBe(join(folder, 'a.txt'));
  });

  it('names everything that is wrong in a recipe file', async () => {
    await writeFile(join(folder, 'recipe.json'), JSON.stringify({ model: 'tiny', out: 'o', size: { kind: 'ratio', ratio: 3 }, budgetTokens: -1, sources: [] }));
    await expect(recipe('--recipe', 'recipe.json')).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(/size\.ratio.*budgetTokens/s) as unknown });
  });

  it.each([
    [['--out', 'o', '--ratio', '0.2'], 'MODEL is missing'],
    [['tiny', '--ratio', '0.2'], '--out is missing'],
    [['tiny', '--out', 'o'], 'How small'],
    [['tiny', '--out', 'o', '--ratio', '0.2', '--target-bytes', '5'], 'not several'],
    [['tiny', '--out', 'o', '--parameters', '5M', '--fits', '8GB'], 'not several'],
    [['tiny', '--out', 'o', '--parameters', 'many'], 'such as 100M'],
    [['tiny', '--out', 'o', '--parameters', '5M', '--context', '100'], 'belongs to --fits'],
    [['tiny', '--out', 'o', '--ratio', '0.2', '--lock', '3'], 'a lock is LAYERS:PART'],
    [['tiny', '--out', 'o', '--ratio', '20%'], 'found "20%"'],
    [['tiny', '--out', 'o', '--ratio', '2'], 'between 0 and 0.9'],
    [['tiny', '--out', 'o', '--ratio', '0.2', '--mode', 'best'], '--mode is one of'],
    [['tiny', 'second', '--out', 'o', '--ratio', '0.2'], 'one argument too many'],
    [['tiny', '--out', 'o', '--ratio', '0.2', '--format', 'gguf', '--dtype', 'Q3'], 'found "Q3"'],
    [['tiny', '--out', 'o', '--ratio', '0.2', '--dtype', 'Q4_K_M'], 'of safetensors'],
  ])('is refused for %j', async (argv, message) => {
    await expect(recipe(...argv)).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(message) as unknown });
  });

  it('is refused for an option that does not exist', () => {
    expect(() => Arguments.parse(['--rattio', '1'], compress.options, folder)).toThrow("Unknown option '--rattio'");
  });
});

describe('an export target', () => {
  it('is F16 unless said otherwise', () => {
    expect(exportTarget('gguf', undefined)).toEqual({ format: 'gguf', dtype: 'F16' });
    expect(exportTarget('gguf', 'q4_k')).toEqual({ format: 'gguf', dtype: 'Q4_K_M' });
    expect(exportTarget('safetensors', 'bf16')).toEqual({ format: 'safetensors', dtype: 'BF16' });
    expect(() => exportTarget('gguf', 'Q4')).toThrow('--dtype of a GGUF file is one of');
  });
});

describe('progress', () => {
  function display(isTTY: boolean): { shown: string[]; progress: ProgressDisplay; at: (ms: number) => void } {
    const shown: string[] = [];
    let now = 0;
    const output = { isTTY, columns: 60, write: (text: string) => shown.push(text) };
    return { shown, progress: new ProgressDisplay(output, () => now), at: (ms) => { now = ms; } };
  }

  it('is a line now and then where there is no terminal', () => {
    const { shown, progress, at } = display(false);
    for (let ms = 0; ms <= 25_000; ms += 500) {
      at(ms);
      progress.show({ what: 'Pruning', overall: ms / 50_000, secondsLeft: 120 });
    }
    expect(shown).toEqual(['  0%  Pruning, about 2 min left\n', ' 20%  Pruning, about 2 min left\n', ' 40%  Pruning, about 2 min left\n']);
  });

  it('tells a new stage at once', () => {
    const { shown, progress } = display(false);
    progress.show({ what: 'Pruning', overall: 0.3, secondsLeft: null });
    progress.show({ what: 'Recovering', overall: 0.5, secondsLeft: 30 });
    expect(shown).toEqual([' 30%  Pruning\n', ' 50%  Recovering, about 30 s left\n']);
  });

  it('is a bar within the width of a terminal, and goes away', () => {
    const { shown, progress } = display(true);
    progress.show({ what: 'Recovering with a very long name that does not fit', overall: 0.5, secondsLeft: 7200 });
    expect(shown[0]).toMatch(/^\r\[#{12}-{12}\] {2}50% {2}Recovering/);
    expect(shown[0]?.length).toBeLessThanOrEqual(61);
    progress.clear();
    expect(shown[1]).toMatch(/^\r +\r$/);
  });
});

describe('columns', () => {
  it('are aligned', () => {
    expect(columns([['a', '1'], ['longer', '100']])).toBe('a         1\nlonger  100');
  });
});
