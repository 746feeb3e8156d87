/** The command line as a program is called: exit statuses, one JSON object, errors in words, nothing left behind. */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../../main/cli/main';
import { exampleModel } from '../../../main/engine/jobs/bundled';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { RunFolder } from '../../../main/engine/jobs/run-folder';
import type { Recipe } from '../../../preload/contract/recipe';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-main-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Called {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function shear(argv: readonly string[], signal = new AbortController().signal): Promise<Called> {
  let stdout = '';
  let stderr = '';
  const status = await main(argv, {
    stdout: { write: (text) => { stdout += text; } },
    stderr: { write: (text) => { stderr += text; } },
    cwd: folder, environment: { SHEAR_RUNS_FOLDER: join(folder, 'runs') }, signal,
  });
  return { status, stdout, stderr };
}

/** What `--json` printed: exactly one object on one line. */
function onlyObject(stdout: string): Record<string, unknown> {
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('help', () => {
  it('lists every command and shows each one’s options', async () => {
    const { status, stdout } = await shear(['--help']);
    expect(status).toBe(0);
    const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1] ?? '');
    expect(names).toEqual(['example', 'inspect', 'compress', 'perplexity', 'tasks', 'analyze', 'generate', 'export', 'verify', 'runs', 'bench']);
    for (const name of names) {
      const help = await shear([name, '--help']);
      expect(help.status).toBe(0);
      expect(help.stdout).toContain(`Usage: shear ${name}`);
      expect(help.stdout).toContain('--json');
    }
  });
});

describe('wrong usage', () => {
  it.each([
    [['squash'], 'There is no command "squash"'],
    [['inspect'], 'MODEL is missing'],
    [['verify', 'a', 'b'], 'one argument too many'],
    [['compress', 'a', '--out', 'b', '--ratio', 'much'], '--ratio needs a number'],
    [['perplexity', 'a'], 'Give either --text or --ids'],
    [['tasks', 'a'], '--task is missing'],
    [['tasks', 'a', '--task', 'piqa'], '--task needs NAME=FILE'],
    [['analyze', 'a'], 'Give --text or --ids'],
    [['generate', 'a'], '--prompt is missing'],
    [['export', 'a', '--out', 'b'], '--format is missing'],
    [['bench'], '"bench" needs one of step, forward, generate'],
    [['bench', 'generate', '--against', 'pytorch'], 'is compared with llama.cpp, not with pytorch'],
    [['bench', 'generate', '--batch', '2'], 'one text at a time'],
    [['runs', '--threads', '0'], '--threads needs a whole number'],
    [['inspect', 'a', '--colour', 'red'], "Unknown option '--colour'"],
  ])('%j ends with 2 and says what is wrong', async (argv, message) => {
    const words = await shear(argv);
    expect(words).toMatchObject({ status: 2, stdout: '' });
    expect(words.stderr).toContain(message);
    const json = await shear([...argv, '--json']);
    expect(json).toMatchObject({ status: 2, stderr: '' });
    expect(onlyObject(json.stdout)).toMatchObject({ code: 'usage', message: expect.stringContaining(message) as unknown, details: {} });
  });
});

describe('bad input', () => {
  it('that is not there ends with 3', async () => {
    for (const argv of [['inspect', 'nowhere'], ['generate', 'nowhere', '--prompt', 'x'], ['verify', 'nowhere'], ['export', 'nowhere', '--format', 'gguf', '--out', 'a.gguf']]) {
      const { status, stdout } = await shear([...argv, '--json']);
      expect(status).toBe(3);
      expect(onlyObject(stdout)).toMatchObject({ code: 'not-found' });
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it('that is no model ends with 3 and says so in words', async () => {
    await writeFile(join(folder, 'notes.txt'), 'These are my notes.');
    const { status, stderr } = await shear(['inspect', 'notes.txt']);
    expect(status).toBe(3);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('that is no UTF-8 ends with 3, names the file, and leaves nothing', async () => {
    await writeFile(join(folder, 'latin.txt'), Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x20, 0x61]));
    const { status, stderr } = await shear(['perplexity', exampleModel(), '--text', 'latin.txt']);
    expect(status).toBe(3);
    expect(stderr).toContain('latin.txt');
    const compress = await shear(['compress', exampleModel(), '--out', 'small', '--ratio', '0.2', '--data', 'latin.txt', '--budget-tokens', '1024']);
    expect(compress.status).toBe(3);
    expect((await readdir(folder)).filter((name) => name.includes('small'))).toEqual([]);
  });

  it('for a size that cannot be reached ends with 2 and says what can', async () => {
    const { status, stderr } = await shear(['compress', exampleModel(), '--out', 'small', '--target-bytes', '1000']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/cannot be made smaller than/);
    expect(await readdir(folder)).toEqual([]);
  });

  it('for memory, parameters or locks that leave too little ends with 2 and says what can be had', async () => {
    const refused = async (...options: string[]): Promise<string> => {
      const { status, stderr } = await shear(['compress', exampleModel(), '--out', 'small', ...options]);
      expect(status).toBe(2);
      expect(await readdir(folder)).toEqual([]);
      return stderr;
    };
    expect(await refused('--fits', '500MB')).toMatch(/less than 500\.\d MB of memory as F16; 500\.0 MB was asked for.*512 tokens of text.*500\.0 MB for the program/);
    expect(await refused('--parameters', '10K')).toMatch(/smaller than [\d,]+ parameters; 10,000 were asked for/);
    expect(await refused('--ratio', '0.5', '--lock', '*:mlp')).toMatch(/at most .*stays whole in all.*\n.*fewer parts to keep whole/);
    expect(await refused('--ratio', '0.5', '--lock', '6:mlp')).toMatch(/no such layers to keep whole: 6:mlp\. Its 5 layers are 1 to 5/);
  });

  it('for a folder that is not empty is refused and leaves it alone', async () => {
    await mkdir(join(folder, 'small'));
    await writeFile(join(folder, 'small', 'mine.txt'), 'mine');
    const { status, stderr } = await shear(['compress', exampleModel(), '--out', 'small', '--ratio', '0.2']);
    expect(status).toBe(2);
    expect(stderr).toContain('is not empty');
    expect(await readFile(join(folder, 'small', 'mine.txt'), 'utf8')).toBe('mine');
  });

  it('for a budget that is less than one training step ends with 2 and says what to do', async () => {
    const { status, stderr } = await shear(['compress', exampleModel(), '--out', 'small', '--ratio', '0.2', '--budget-tokens', '1000']);
    expect(status).toBe(2);
    expect(stderr).toContain('1,024 or more');
    expect(await readdir(folder)).toEqual([]);
  });

  it('for more memory than there is ends with 4', async () => {
    await writeFile(join(folder, 'recipe.json'), JSON.stringify({ size: { kind: 'ratio', ratio: 0.2 }, training: { rank: 1e9 } }));
    const { status, stderr } = await shear(['compress', exampleModel(), '--recipe', 'recipe.json', '--out', 'small']);
    expect(status).toBe(4);
    expect(stderr).toMatch(/of memory/);
  });
});

describe('a model', () => {
  it('is inspected', async () => {
    const { status, stdout } = await shear(['inspect', exampleModel(), '--json']);
    expect(status).toBe(0);
    expect(onlyObject(stdout)).toMatchObject({ family: 'llama', parameters: 260032, layers: 5, hidden: 64, heads: 8, kvHeads: 4, headDim: 8, ffn: 172, vocabulary: 512, tied: true, problems: [] });
    expect((await shear(['inspect', exampleModel()])).stdout).toContain('260,032');
  });

  it('is inspected beside others, of which a bad one hides none and decides the exit status', async () => {
    await writeFile(join(folder, 'holiday.png'), 'a picture');
    const argv = ['inspect', 'holiday.png', exampleModel(), 'nowhere', exampleModel()];
    const words = await shear(argv);
    expect(words.status).toBe(3);
    expect(words.stdout.match(/^Parameters +260,032$/gm)).toHaveLength(2);
    for (const part of ['holiday.png is not a model file', 'Choose a model folder', `${join(folder, 'nowhere')}: There is no file or folder`]) expect(words.stderr).toContain(part);
    const json = await shear([...argv, '--json']);
    expect(json).toMatchObject({ status: 3, stderr: '' });
    expect(onlyObject(json.stdout)).toMatchObject({
      models: [{ path: join(folder, 'holiday.png'), error: { code: 'format' } }, { parameters: 260032 }, { error: { code: 'not-found' } }, { parameters: 260032 }],
    });
    expect((await shear(['inspect', exampleModel(), exampleModel()])).status).toBe(0);
    const none = await shear(['inspect', 'holiday.png', 'nowhere']);
    expect(none).toMatchObject({ status: 3, stdout: '' });
  });

  it('is measured on texts and on ids alike', async () => {
    const text = 'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. '.repeat(8);
    await writeFile(join(folder, 'a.txt'), text);
    const measured = onlyObject((await shear(['perplexity', exampleModel(), '--text', 'a.txt', '--window', '64', '--json'])).stdout);
    expect((await shear(['perplexity', exampleModel(), '--text', 'a.txt', '--window', '64'])).stdout).toMatch(/^Perplexity [\d.]+ over \d+ predicted tokens\.\n$/);
    expect(measured['perplexity']).toBeGreaterThan(1);
    expect(measured['perplexity']).toBeLessThan(20);
    expect(Math.log(Number(measured['perplexity']))).toBeCloseTo(Number(measured['nll']), 10);
    await writeFile(join(folder, 'ids.json'), JSON.stringify([1, 403, 407, 261, 378]));
    const ids = await shear(['perplexity', exampleModel(), '--ids', 'ids.json', '--json']);
    expect(onlyObject(ids.stdout)).toMatchObject({ tokens: 4 });
  });

  it('continues a text, the same each time', async () => {
    const argv = ['generate', exampleModel(), '--prompt', 'Once upon a time', '--tokens', '20', '--json'];
    const first = onlyObject((await shear(argv)).stdout);
    expect(first['text']).toMatch(/^, there was a/);
    expect(first['ids']).toHaveLength(20);
    expect(onlyObject((await shear(argv)).stdout)['text']).toBe(first['text']);
  });

  it('is sound, and not the same as another', async () => {
    expect(onlyObject((await shear(['verify', exampleModel(), '--json'])).stdout)).toMatchObject({ ok: true, differences: [] });
  });

  it('is written as GGUF and verified against itself', async () => {
    const exported = await shear(['export', exampleModel(), '--format', 'gguf', '--out', 'tiny.gguf', '--json']);
    expect(exported.status).toBe(0);
    expect(onlyObject(exported.stdout)).toMatchObject({ path: join(folder, 'tiny.gguf'), maxLogitDifference: expect.any(Number) as unknown });
    const verified = await shear(['verify', 'tiny.gguf', '--against', exampleModel()]);
    expect(verified.status).toBe(0);
    expect(verified.stdout).toMatch(/its answers agree with those of .*stories260K/i);
    expect(verified.stdout).not.toMatch(/logit|rounding/i);
    const again = await shear(['export', exampleModel(), '--format', 'gguf', '--out', 'tiny.gguf']);
    expect(again.status).toBe(2);
  });

  it('is written as ONNX, verified against itself, and inspected no more', async () => {
    expect((await shear(['export', exampleModel(), '--format', 'onnx', '--dtype', 'INT4', '--out', 'tiny'])).status).toBe(0);
    expect(await shear(['verify', 'tiny', '--against', exampleModel()])).toMatchObject({ status: 0, stdout: expect.stringContaining('is sound. Its answers agree') as unknown });
    const { status, stderr } = await shear(['inspect', 'tiny']);
    expect(status).toBe(3);
    expect(stderr).toContain('cannot be made smaller any more');
    expect(stderr).toContain('Open the model that it was made from instead');
  });
});

describe('tasks', () => {
  it('tells accuracy, standard error and items of each, and leaves boolq out of the mean', async () => {
    const rows = (count: number): string => Array.from({ length: count }, () => JSON.stringify({ query: 'Tom', choices: ['was sad.', 'xqz'], gold: 0 })).join('\n');
    await writeFile(join(folder, 'rows.jsonl'), rows(3));
    const argv = ['tasks', exampleModel(), '--task', 'mine=rows.jsonl', '--task', 'boolq=rows.jsonl', '--limit', '2'];
    const { status, stdout } = await shear([...argv, '--json']);
    expect(status).toBe(0);
    const told = onlyObject(stdout);
    expect(told).toMatchObject({ mean: 1, tasks: [{ name: 'mine', accuracy: 1, standardError: 0, items: 2 }, { name: 'boolq', items: 2 }] });
    expect((await shear(argv)).stdout).toMatch(/mine +100\.0% +± 0\.0% +2\n/);
    await writeFile(join(folder, 'rows.jsonl'), `${rows(1)}\n{"query":"Tom"}`);
    const bad = await shear(argv);
    expect(bad.status).toBe(3);
    expect(bad.stderr).toContain('Row 2 of rows.jsonl has no field "choices"');
  });
});

describe('analyze', () => {
  it('prints the groups of every layer, one object with --json, and writes no table over a file', async () => {
    await writeFile(join(folder, 'text.txt'), 'Tom ran to the park and played with his friends. '.repeat(100));
    const argv = ['analyze', exampleModel(), '--text', 'text.txt', '--tokens', '64'];
    const { status, stdout } = await shear([...argv, '--csv', 'map.csv', '--json']);
    expect(status).toBe(0);
    const told = onlyObject(stdout);
    expect(told['groups']).toHaveLength(10);
    expect(told['groups']).toContainEqual(expect.objectContaining({ layer: 4, part: 'mlp', parameters: 33024, deviation: { text: expect.any(Number) as unknown }, locked: expect.any(Boolean) as unknown }));
    expect(told['rankCorrelation']).toMatchObject({ all: expect.any(Number) as unknown });
    expect(await readFile(join(folder, 'map.csv'), 'utf8')).toContain('deviation: text');
    const again = await shear([...argv, '--csv', 'map.csv']);
    expect(again.status).toBe(2);
    expect(again.stderr).toContain('exists already');
    const words = await shear(argv);
    expect(words.stdout).toMatch(/^Layer {2}Part +Parameters +text +Mean +Estimate\n1 +attention +12,288/);
    expect(words.stdout).toMatch(/Rank correlation of the estimate with what was measured: -?[01]\.\d\d/);
  });
});

describe('runs', () => {
  it('are none at first', async () => {
    expect(onlyObject((await shear(['runs', '--json'])).stdout)).toMatchObject({ runs: [] });
    expect((await shear(['runs'])).stdout).toContain('There are no runs');
  });
});

describe('--resume', () => {
  const recipe = (out: string): Recipe => completeRecipe({
    model: exampleModel(), out: join(folder, out), size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 4096,
    sources: [{ kind: 'text', path: join(folder, 'gone.txt'), name: 'gone' }],
  });
  const resume = (...more: string[]): Promise<Called> => shear(['compress', exampleModel(), '--ratio', '0.4', '--out', 'small', '--resume', ...more]);

  it('finds a run beside damaged ones, and says in a line which it is and that its own settings hold', async () => {
    const runs = join(folder, 'runs');
    const wanted = await RunFolder.create(runs, recipe('small'), new Date('2026-01-01T10:00:00Z'));
    for (const [day, file] of [['02', 'state.json'], ['03', 'recipe.json']] as const) {
      const damaged = await RunFolder.create(runs, recipe('small'), new Date(`2026-01-${day}T10:00:00Z`));
      await writeFile(damaged.path(file), '{"sta');
    }
    const { status, stderr } = await resume();
    expect(status).toBe(3);
    const [line = ''] = stderr.split('\n');
    expect(line).toContain(wanted.runId);
    expect(line).toMatch(/its own settings/);
    expect(line).toContain('stories260K, 20.0% smaller');
  });

  it('checks memory again', async () => {
    await RunFolder.create(join(folder, 'runs'), recipe('small'));
    const { status, stderr } = await resume('--memory', '1MB');
    expect(status).toBe(4);
    expect(stderr).toMatch(/1 MB may be used/);
  });
});

describe('Ctrl-C', () => {
  it('ends with 130 and leaves nothing', async () => {
    const controller = new AbortController();
    controller.abort('cancel');
    const { status, stderr } = await shear(['generate', exampleModel(), '--prompt', 'x'], controller.signal);
    expect(status).toBe(130);
    expect(stderr).toContain('Stopped.');
  });
});
