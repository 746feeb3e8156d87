/** Run folders: made whole, read back, listed, locked, deleted, and read after a crash. */
import { appendFile, mkdtemp, readdir, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { RunFolder, defaultRunsFolder, listRuns } from '../../../main/engine/jobs/run-folder';
import { NotFoundError, UsageError } from '../../../main/engine/support/errors';

let runs: string;
const recipe = completeRecipe({
  model: '/models/small', out: '/results/small', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1000,
  sources: [{ kind: 'text', path: '/texts/a.txt', name: 'a' }],
});

beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'shear-runs-'));
});
afterEach(async () => {
  await rm(runs, { recursive: true, force: true });
});

describe('a run folder', () => {
  it('gives back the recipe it was made with, defaults filled in', async () => {
    const folder = await RunFolder.create(runs, recipe);
    expect(await RunFolder.open(runs, folder.runId).readRecipe()).toEqual(recipe);
  });

  it('leaves no temporary files behind when it is made', async () => {
    const folder = await RunFolder.create(runs, recipe);
    expect(await readdir(runs)).toEqual([folder.runId]);
    expect((await readdir(folder.folder)).sort()).toEqual(['events.jsonl', 'recipe.json', 'state.json']);
  });

  it('lists runs newest first and leaves out what is no run', async () => {
    const older = await RunFolder.create(runs, recipe, new Date('2026-01-01T10:00:00Z'));
    const newer = await RunFolder.create(runs, recipe, new Date('2026-01-02T10:00:00Z'));
    await mkdir(join(runs, 'something-else'));
    await mkdir(join(runs, '.trash-old'));
    expect((await RunFolder.list(runs)).map((run) => run.runId)).toEqual([newer.runId, older.runId]);
  });

  it('lists the others when one run is damaged', async () => {
    const sound = await RunFolder.create(runs, recipe);
    const damaged = await RunFolder.create(runs, recipe);
    await writeFile(damaged.path('state.json'), '{"state": "run');
    expect((await listRuns(runs)).map((run) => run.runId)).toEqual([sound.runId]);
  });

  it('has no runs where the folder does not exist', async () => {
    expect(await listRuns(join(runs, 'nothing', 'here'))).toEqual([]);
  });

  it('cannot be reached by a name that leads elsewhere', () => {
    expect(() => RunFolder.open(runs, '../etc')).toThrow(NotFoundError);
    expect(RunFolder.find(runs, '..')).toBeNull();
  });

  it('reads a history whose last line a crash cut off, and goes on after it', async () => {
    const folder = await RunFolder.create(runs, recipe);
    folder.appendEvent({ runId: folder.runId, time: 1, type: 'note', text: 'first' });
    await appendFile(folder.path('events.jsonl'), '{"runId":"x","ti');
    await folder.mend();
    folder.appendEvent({ runId: folder.runId, time: 2, type: 'note', text: 'second' });
    expect((await folder.readEvents()).map((event) => (event.type === 'note' ? event.text : ''))).toEqual(['first', 'second']);
  });

  it('reads as interrupted when the process that ran it is gone', async () => {
    const folder = await RunFolder.create(runs, recipe);
    await folder.writeStatus({ ...(await folder.readStatus()), state: 'running' });
    // No process has this number: the largest that Linux gives is 2^22.
    await writeFile(folder.path('lock.json'), JSON.stringify({ pid: 2 ** 30, birth: '' }));
    expect((await folder.summary()).state).toBe('interrupted');
  });

  it('reads as running while its process lives, and cannot be taken or deleted by another', async () => {
    const folder = await RunFolder.create(runs, recipe);
    const unlock = await folder.lock();
    await folder.writeStatus({ ...(await folder.readStatus()), state: 'running' });
    expect((await folder.readStatus()).state).toBe('running');
    await expect(folder.lock()).rejects.toThrow(UsageError);
    await expect(folder.delete()).rejects.toThrow('cannot be deleted');
    await unlock();
    expect((await folder.readStatus()).state).toBe('interrupted');
  });

  it.runIf(process.platform === 'linux')('is not held by a later process that was given the same number', async () => {
    const folder = await RunFolder.create(runs, recipe);
    await writeFile(folder.path('lock.json'), JSON.stringify({ pid: process.pid, birth: '1' }));
    expect(await folder.isLocked()).toBe(false);
    const unlock = await folder.lock();
    await unlock();
  });

  it('is gone after it was deleted, and with it what a killed export left beside the result', async () => {
    const results = join(runs, 'results');
    const folder = await RunFolder.create(join(runs, 'all'), { ...recipe, out: join(results, 'small') });
    const other = await RunFolder.create(join(runs, 'all'), { ...recipe, out: join(results, 'small') });
    for (const run of [folder, other]) await mkdir(await run.partialOut(), { recursive: true });
    await writeFile(join(await folder.partialOut(), 'half.gguf'), 'half');
    await mkdir(join(results, 'small'));
    await folder.delete();
    expect(await readdir(join(runs, 'all'))).toEqual([other.runId]);
    expect((await readdir(results)).sort()).toEqual([`.small.partial-${other.runId}`, 'small']);
  });

  it('can be deleted when its recipe is damaged', async () => {
    const folder = await RunFolder.create(runs, recipe);
    await writeFile(folder.path('recipe.json'), '{"model": ');
    await folder.delete();
    expect(await readdir(runs)).toEqual([]);
  });

  it('says that there is no result before the end', async () => {
    const folder = await RunFolder.create(runs, recipe);
    await expect(folder.readResult()).rejects.toThrow('has no result');
  });
});

describe('the folder of all runs', () => {
  it('is what the environment says', () => {
    expect(defaultRunsFolder({ SHEAR_RUNS_FOLDER: '/x/y' }, 'linux')).toBe('/x/y');
  });

  it('follows each system’s custom', () => {
    expect(defaultRunsFolder({ HOME: '/home/a' }, 'linux')).toBe(join('/home/a', '.local', 'share', 'shear', 'runs'));
    expect(defaultRunsFolder({ HOME: '/home/a', XDG_DATA_HOME: '/data' }, 'linux')).toBe(join('/data', 'shear', 'runs'));
    expect(defaultRunsFolder({ HOME: '/Users/a' }, 'darwin')).toBe(join('/Users/a', 'Library', 'Application Support', 'shear', 'runs'));
    expect(defaultRunsFolder({ APPDATA: '/roaming' }, 'win32')).toBe(join('/roaming', 'shear', 'runs'));
  });
});
