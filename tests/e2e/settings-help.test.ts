/** Settings that last, and the help page with its report, in the real window. */
import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { dropFiles, expectAccessible, launchApp, type RunningApp } from './support/app';
import { call } from './support/bridge';
import { answerPickers, expectPage, photograph } from './support/pages';

const EXAMPLE_MODEL = resolve(import.meta.dirname, '..', '..', 'resources', 'example', 'stories260K');

/** The theme that the page draws, and the zoom of the window. */
async function look({ electron, page }: RunningApp): Promise<{ theme: string | undefined; zoom: number | undefined; ground: string }> {
  const zoom = await electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.webContents.getZoomFactor());
  const drawn = await page.evaluate(() => ({
    theme: document.documentElement.dataset['theme'],
    ground: getComputedStyle(document.body).backgroundColor,
  }));
  return { ...drawn, zoom: zoom === undefined ? undefined : Math.round(zoom * 100) / 100 };
}

test('settings take effect at once, last beyond a restart, and a damaged file is told', async () => {
  let app = await launchApp();
  const { folder } = app;
  const settingsFile = join(folder, 'user', 'settings.json');
  const runs = join(folder, 'other runs');
  try {
    await app.page.getByTestId('settings').click();
    await expect(app.page.getByTestId('devices')).toContainText('Processor', { timeout: 30_000 });
    await expect(app.page.getByTestId('devices')).toContainText('Graphics card');
    await expectPage(app.page, 'Settings', '30-settings');
    await photograph(app, '30-settings');

    await app.page.getByTestId('theme-dark').check({ force: true });
    await expect.poll(() => look(app)).toMatchObject({ theme: 'dark', ground: 'rgb(19, 22, 21)' });
    await app.page.getByTestId('theme-contrast').check({ force: true });
    await expect.poll(() => look(app)).toMatchObject({ theme: 'contrast', ground: 'rgb(0, 0, 0)' });
    await expectAccessible(app.page);
    await photograph(app, '31-settings-contrast');
    await app.page.getByTestId('text-size-130').check({ force: true });
    await expect.poll(() => look(app)).toMatchObject({ zoom: 1.3 });
    await app.page.getByTestId('threads').selectOption('1');
    await answerPickers(app, runs);
    await app.page.getByTestId('pick-runsFolder').click();
    await expect(app.page.getByTestId('setting-runsFolder')).toContainText('other runs');
    await expect.poll(() => readFile(settingsFile, 'utf8').then((text) => JSON.parse(text) as unknown)).toMatchObject({ theme: 'contrast', textPercent: 130, threads: 1, runsFolder: runs });
    expect(existsSync(runs)).toBe(true);
    // The engine is replaced by one with these settings, and nobody is told of a loss.
    expect(await call(app.page, 'runs.list', {})).toEqual([]);
    await app.page.getByTestId('home').click();
    await expect(app.page.getByTestId('drop-zone')).toBeVisible();
    await expect(app.page.getByRole('alert')).toHaveCount(0);
    await photograph(app, '32-home-contrast-130');

    await app.kill();
    app = await launchApp({ folder });
    await expect.poll(() => look(app)).toMatchObject({ theme: 'contrast', zoom: 1.3 });
    await app.page.getByTestId('settings').click();
    await expect(app.page.getByTestId('threads')).toHaveValue('1');
    await app.page.getByTestId('usual-runsFolder').click();
    await expect(app.page.getByTestId('setting-runsFolder')).not.toContainText('other runs');

    await app.kill();
    await writeFile(settingsFile, '{"theme": "dark", "threads": ');
    app = await launchApp({ folder });
    await app.page.getByTestId('settings').click();
    await expect(app.page.getByTestId('settings-problem')).toContainText('the usual ones hold');
    await expect.poll(() => look(app)).toMatchObject({ theme: 'system', zoom: 1 });
    await photograph(app, '33-settings-damaged');
    await app.page.getByTestId('theme-light').check({ force: true });
    await expect(app.page.getByTestId('settings-problem')).toBeHidden();
  } finally {
    await app.close();
  }
});

test('help explains words, shows licences, and writes a report without names that is read before it is saved', async () => {
  const app = await launchApp();
  try {
    const { page } = app;
    await page.getByTestId('help').click();
    await expect(page.getByTestId('glossary')).toContainText('Perplexity');
    await expectPage(page, 'Help', '34-help');
    await photograph(app, '34-help');

    await page.getByTestId('write-report').click();
    const report = page.getByTestId('report-text');
    await expect(report).toHaveValue(/Shear .*\n[\s\S]*Settings[\s\S]*Runs\n {2}none/, { timeout: 30_000 });
    const written = await report.inputValue();
    expect(written).not.toContain(homedir());
    await report.fill(`${written}A word of mine\n`);
    const path = join(app.folder, 'report.txt');
    await app.electron.evaluate(({ dialog }, filePath) => {
      dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath });
    }, path);
    await page.getByTestId('save-report').click();
    await expect(page.getByTestId('report-saved')).toContainText('report.txt');
    expect(await readFile(path, 'utf8')).toBe(`${written}A word of mine\n`);
    await report.scrollIntoViewIfNeeded();
    await photograph(app, '35-report');
    await expectAccessible(page);

    await page.getByTestId('licences').locator('summary').click();
    await expect(page.getByTestId('licences')).toContainText('Third-party notices');
    await expectAccessible(page);
  } finally {
    await app.close();
  }
});

test('models that were opened are offered again after a restart, until they are taken off the list', async () => {
  let app = await launchApp();
  const { folder } = app;
  try {
    await dropFiles(app.page, '[data-testid="drop-zone"]', [EXAMPLE_MODEL]);
    await expect(app.page.getByTestId('model-summary')).toBeVisible();
    // The example is no model of the person's own.
    const own = join(folder, 'my model');
    await cp(EXAMPLE_MODEL, own, { recursive: true });
    await app.page.getByTestId('home').click();
    await dropFiles(app.page, '[data-testid="drop-zone"]', [own]);
    await expect(app.page.getByTestId('next')).toBeEnabled();
    await expect.poll(() => readFile(join(folder, 'user', 'settings.json'), 'utf8').catch(() => '')).toContain('my model');

    await app.kill();
    app = await launchApp({ folder });
    await expect(app.page.getByTestId('open-recent')).toHaveCount(1);
    await photograph(app, '36-home-recent');
    await expectAccessible(app.page);
    await app.page.getByTestId('open-recent').click();
    await expect(app.page.getByTestId('model-summary')).toContainText('my model');
    await app.page.getByTestId('home').click();
    await app.page.getByTestId('forget-recent').click();
    await expect(app.page.getByTestId('recent')).toBeHidden();
    expect(existsSync(own)).toBe(true);
  } finally {
    await app.close();
  }
});
