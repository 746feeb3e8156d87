/** The settings file: what is kept, and what becomes of a damaged one. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SettingsFile } from '../../../main/ipc/settings-file';

const USUAL = { version: 1, theme: 'system', textPercent: 100, threads: null, resultsFolder: null, runsFolder: null, recentModels: [] };

describe('the settings file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shear-settings-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('gives the usual settings without a word when there is none', async () => {
    const file = await SettingsFile.open(join(folder, 'settings.json'));
    expect(file.current).toEqual(USUAL);
    expect(file.problem).toBeNull();
  });

  it('comes back as it was saved, and leaves nothing beside itself', async () => {
    const path = join(folder, 'new', 'settings.json');
    const file = await SettingsFile.open(path);
    await file.save({ ...file.current, theme: 'contrast', threads: 3, resultsFolder: '/out' });
    expect((await SettingsFile.open(path)).current).toEqual({ ...USUAL, theme: 'contrast', threads: 3, resultsFolder: '/out' });
    expect(await readdir(join(folder, 'new'))).toEqual(['settings.json']);
  });

  it.each([
    ['half a file', '{"theme": "da'],
    ['another kind of value', '[1, 2]'],
    ['a value that there is not', '{"theme": "pink"}'],
    ['a wrong number', '{"threads": 1.5}'],
    ['a list that is too long', JSON.stringify({ recentModels: Array.from({ length: 1000 }, () => '/m') })],
    ['a later version', '{"version": 2}'],
    ['far too much', JSON.stringify({ more: 'x'.repeat(200_000) })],
    ['nothing', ''],
  ])('of %s falls back to the usual settings, says so, and is mended by the next change', async (_, content) => {
    const path = join(folder, 'settings.json');
    await writeFile(path, content);
    const file = await SettingsFile.open(path);
    expect(file.current).toEqual(USUAL);
    expect(file.problem).toContain(path);
    expect(await readFile(path, 'utf8')).toBe(content);
    await file.save({ ...file.current, theme: 'dark' });
    expect(file.problem).toBeNull();
    expect((await SettingsFile.open(path)).current.theme).toBe('dark');
  });

  it('that is a folder falls back too, and a change that cannot be written is refused and not taken', async () => {
    const file = await SettingsFile.open(folder);
    expect(file.current).toEqual(USUAL);
    expect(file.problem).toContain(folder);
    await writeFile(join(folder, 'occupied'), '');
    const lost = await SettingsFile.open(join(folder, 'occupied', 'deeper', 'settings.json'));
    await expect(lost.save({ ...lost.current, theme: 'dark' })).rejects.toMatchObject({ code: 'not-found' });
    expect(lost.current.theme).toBe('system');
  });
});
