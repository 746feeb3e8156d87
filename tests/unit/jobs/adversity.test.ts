/** What happens to a run from outside while it goes on: each ends in a message that says what is wrong, and a run that goes on once it is mended. */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireWritable } from '../../../main/engine/formats/whole-file';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { executeFolder, prepareRun } from '../../../main/engine/jobs/start';
import { toAppError } from '../../../main/engine/support/errors';
import { Random } from '../../../main/engine/support/random';
import type { Recipe } from '../../../preload/contract/recipe';
import type { RunEvent } from '../../../preload/contract/run';
import { writeTinyFolder } from '../../support/tiny-model';

const speed = { forwardTokensPerSecond: 4000, trainTokensPerSecond: 1000, recoverTokensPerSecond: 1000 };
let folder: string;
let drive: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-adversity-'));
  drive = join(folder, 'drive');
  await mkdir(drive);
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A recipe for a tiny model that trains for a few steps. */
async function recipe(out: string): Promise<Recipe> {
  const model = join(folder, 'model');
  const { config } = await writeTinyFolder(model, {});
  const random = Random.fromSeed(5);
  const path = join(folder, 'ids.json');
  await writeFile(path, JSON.stringify(Array.from({ length: 200 }, () => random.nextInteger(config.vocabulary))));
  return completeRecipe({
    model, out, size: { kind: 'ratio', ratio: 0.2 }, sources: [{ kind: 'ids', path, name: 'ids' }], budgetTokens: 128,
    exports: [{ format: 'safetensors', dtype: 'F32' }], training: { length: 16, batch: 2 }, method: { analysisTokens: 32 },
  });
}

const work = (emit: (event: RunEvent) => void = () => undefined): Parameters<typeof executeFolder>[1] => ({ threads: 1, signal: new AbortController().signal, emit });

/** Does something when training begins. */
function whenTraining(act: () => void): (event: RunEvent) => void {
  let isDone = false;
  return (event) => {
    if (event.type !== 'loss' || isDone) return;
    isDone = true;
    act();
  };
}

describe('A run', () => {
  it('whose target cannot be written is refused before it begins', async () => {
    await writeFile(join(folder, 'a-file'), '');
    const runs = join(folder, 'runs');
    await expect(prepareRun(await recipe(join(folder, 'a-file', 'out')), runs, { speed })).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('a-file') as unknown });
    if (process.platform === 'linux') {
      // Nobody, not even root, may make folders here.
      await expect(requireWritable('/sys/kernel/shear-out')).rejects.toMatchObject({
        code: 'not-found', message: 'This program may not open or write /sys/kernel.', hint: expect.stringContaining('permissions') as unknown,
      });
    }
    expect(await readdir(drive)).toEqual([]);
    expect((await readdir(folder)).includes('runs')).toBe(false);
  });

  it('whose target becomes a place that nobody can write to fails at the end with its name, and goes on once it is back', async () => {
    const out = join(drive, 'out');
    const run = await prepareRun(await recipe(out), join(folder, 'runs'), { speed });
    // The mount point of a drive that was pulled out, as nothing can be made there.
    const pull = whenTraining(() => {
      renameSync(drive, `${drive}-pulled`);
      writeFileSync(drive, '');
    });
    await expect(executeFolder(run, work(pull))).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining(drive) as unknown });
    expect(await run.summary()).toMatchObject({ state: 'failed', lastStage: 'evaluate' });
    await rm(drive);
    await rename(`${drive}-pulled`, drive);
    await executeFolder(run, work());
    expect(await readdir(drive)).toEqual(['out']);
  });

  it('whose own folder is taken away says so at once, and goes on when it is back', async () => {
    const runs = join(drive, 'runs');
    const run = await prepareRun(await recipe(join(folder, 'out')), runs, { speed });
    await expect(executeFolder(run, work(whenTraining(() => {
      renameSync(drive, `${drive}-pulled`);
    })))).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining(run.folder) as unknown });
    rmSync(drive, { recursive: true, force: true });
    await rename(`${drive}-pulled`, drive);
    // The process that held it lives and had no place to say that it let go.
    await rm(run.path('lock.json'), { force: true });
    expect((await run.summary()).state).toBe('interrupted');
    await executeFolder(run, work());
    expect(await readdir(join(folder, 'out'))).toContain('report.html');
  });

  it('that does not get memory says so, and goes on when there is some', async () => {
    const run = await prepareRun(await recipe(join(drive, 'out')), join(folder, 'runs'), { speed });
    await expect(executeFolder(run, work(whenTraining(() => {
      throw new RangeError('Array buffer allocation failed');
    })))).rejects.toMatchObject({ code: 'memory', message: 'There was not enough memory to go on.' });
    expect(await run.summary()).toMatchObject({ state: 'failed', lastStage: 'analyse', error: { code: 'memory', hint: expect.stringContaining('continue the run') as unknown } });
    await executeFolder(run, work());
    expect((await run.summary()).state).toBe('done');
  });
});

describe('What a system says when it has nothing more to give', () => {
  it.each([
    ['Array buffer allocation failed', undefined, 'memory'],
    ['std::bad_alloc', undefined, 'memory'],
    ['Non-zero status code returned while running Gemm node. Failed to allocate memory for requested buffer of size 1', undefined, 'memory'],
    ['ENOMEM: not enough memory', 'ENOMEM', 'memory'],
    ['EDQUOT: quota exceeded', 'EDQUOT', 'disk'],
    ['EFBIG: file too large', 'EFBIG', 'disk'],
    ['ENODEV: no such device', 'ENODEV', 'not-found'],
    ['ESTALE: stale handle', 'ESTALE', 'not-found'],
  ])('%s', (message, code, expected) => {
    const error = toAppError(Object.assign(new Error(message), code === undefined ? {} : { code }), '/drive/file');
    expect(error.code).toBe(expected);
    expect(error.hint).toBeTruthy();
  });
});
