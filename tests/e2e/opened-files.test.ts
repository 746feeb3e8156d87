/**
 * A double click on a model: the system starts the program with the file, or the program that is open is told. Files that
 * are no models suffice, as what they are is said by the page.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { launchApp } from './support/app';
import { runProgram } from './support/program';

const root = resolve(import.meta.dirname, '..', '..');

test('a model that the program is started with is opened, and one that it is started with again too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shear-opened-'));
  try {
    const [first, second] = [join(folder, 'first model.gguf'), join(folder, 'second.gguf')];
    for (const path of [first, second]) await writeFile(path, 'This was saved from a web page.');
    const app = await launchApp({ switches: [first] });
    try {
      await expect(app.page.getByRole('alert').first()).toContainText('first model.gguf');
      const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      const again = await runProgram(app.electron.process().spawnfile, [...sandbox, root, `--user-data-dir=${join(app.folder, 'user')}`, second]);
      expect(again.status, again.stderr).toBe(0);
      await expect(app.page.getByRole('alert').first()).toContainText('second.gguf');
      expect(await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
    } finally {
      await app.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});
