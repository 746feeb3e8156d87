/** Bad input on the command line: a message in words, the right exit status, one JSON object, and nothing left anywhere. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../main/cli/main';
import { exampleModel, starterTexts } from '../../main/engine/jobs/bundled';
import { BAD_MODELS, makeLatinText } from '../support/bad-input';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-bad-'));
  await mkdir(join(folder, 'work'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Called {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function shear(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Called> {
  let [stdout, stderr] = ['', ''];
  const status = await main(argv, {
    stdout: { write: (text) => { stdout += text; } },
    stderr: { write: (text) => { stderr += text; } },
    cwd: join(folder, 'work'),
    environment: { SHEAR_RUNS_FOLDER: join(folder, 'runs'), ...environment },
    signal: new AbortController().signal,
  });
  return { status, stdout, stderr };
}

interface ErrorObject {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The one JSON object that a failed call printed. */
function errorOf({ stdout }: Called): ErrorObject {
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as ErrorObject;
}

/** Names in a folder; none if it is not there. */
async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [] as string[])).sort();
}

/** Nothing where the result was to be, nothing beside it, no run. */
async function expectNothingLeft(): Promise<void> {
  expect(await namesIn(join(folder, 'work'))).toEqual([]);
  expect(await namesIn(join(folder, 'runs'))).toEqual([]);
  expect(JSON.parse((await shear(['runs', '--json'])).stdout)).toMatchObject({ runs: [] });
}

async function compress(...more: string[]): Promise<string[]> {
  const [text] = await starterTexts();
  return ['compress', exampleModel(), '--out', 'small', '--ratio', '0.2', '--data', text?.path ?? '', '--budget-tokens', '2048', ...more];
}

describe('What is no usable model ends with 3, what is wrong, where, and the way out:', () => {
  it.each(BAD_MODELS)('$name', async ({ make, code, says, hint }) => {
    const model = await make(folder);
    for (const argv of [['inspect', model], ['compress', model, '--out', 'small', '--ratio', '0.2']]) {
      const words = await shear(argv);
      expect(words).toMatchObject({ status: 3, stdout: '' });
      expect(words.stderr).not.toMatch(/^\s+at /m);
      const json = await shear([...argv, '--json']);
      expect(json).toMatchObject({ status: 3 });
      const error = errorOf(json);
      expect(error.code).toBe(code);
      expect(error.hint).toMatch(hint);
      for (const text of [error.message, words.stderr]) {
        for (const part of says) expect(text).toMatch(typeof part === 'string' ? new RegExp(part.replace(/[.[\]]/g, '\\$&')) : part);
      }
      expect(words.stderr).toMatch(hint);
    }
    await expectNothingLeft();
  });
});

describe('A text that is not UTF-8', () => {
  it('ends with 3, names the file, the place and the way out, and keeps no run', async () => {
    const text = await makeLatinText(folder);
    const json = await shear([...(await compress()), '--data', text, '--json']);
    expect(json).toMatchObject({ status: 3 });
    const error = errorOf(json);
    expect(error).toMatchObject({ code: 'text', details: { file: text } });
    expect(error.message).toBe('old-letters.txt is not UTF-8 text: byte 46 (0xe9, on line 3) does not fit.');
    expect(error.hint).toMatch(/UTF-8/);
    const words = await shear([...(await compress()), '--data', text]);
    expect(words.status).toBe(3);
    expect(words.stderr).toContain(error.message);
    expect(words.stderr).not.toContain('--resume');
    await expectNothingLeft();
  });
});

describe('Too little memory', () => {
  it('ends with 4 before anything is made, says how much is needed and allowed, and what to change', async () => {
    for (const [more, environment] of [[['--memory', '100MB'], {}], [[], { SHEAR_MEMORY_LIMIT: '100000000' }]] as const) {
      const json = await shear(await compress(...more, '--json'), environment);
      expect(json).toMatchObject({ status: 4 });
      const error = errorOf(json);
      expect(error).toMatchObject({ code: 'memory', details: { availableBytes: 100_000_000 } });
      expect(error.message).toMatch(/^This needs about \d+ MB of memory; 100 MB may be used\.$/);
      expect(error.hint).toMatch(/Allow more memory, or choose shorter texts \(now 256 tokens\)/);
      expect(error.details['neededBytes']).toBeGreaterThan(100_000_000);
    }
    const words = await shear(await compress('--memory', '100MB'));
    expect(words).toMatchObject({ status: 4, stdout: '' });
    expect(words.stderr).toContain('100 MB may be used');
    await expectNothingLeft();
  });

  it('is enough once the texts are shorter, as the hint says', async () => {
    const argv = await compress('--memory', '118MB');
    expect(await shear(argv)).toMatchObject({ status: 4 });
    expect(await shear([...argv, '--length', '64', '--json'])).toMatchObject({ status: 0 });
  });

  it('is not what a size that cannot be read means', async () => {
    expect(await shear(await compress('--memory', 'much'))).toMatchObject({ status: 2 });
    const { stderr } = await shear(await compress(), { SHEAR_MEMORY_LIMIT: '4 apples' });
    expect(stderr).toBe('SHEAR_MEMORY_LIMIT needs a size such as 4GB, 500MB or a number of bytes; found "4 apples".\n');
  });
});
