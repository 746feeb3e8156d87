/** Bad input in the real window: dropped models and texts, too little memory, a full disk; each in words, with the way out. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { BAD_MODELS, makeLatinText } from '../support/bad-input';
import { makeSmallDisk } from '../support/small-disk';
import { dropFiles, expectAccessible, launchApp, takeScreenshots } from './support/app';
import { answerPickers, goOnTo, goToCheck } from './support/pages';

const EXAMPLE_MODEL = resolve(import.meta.dirname, '..', '..', 'resources', 'example', 'stories260K');

/** An alert with all these words, on a page that axe finds nothing wrong with; photographed. */
async function expectAlert(page: Page, words: readonly (string | RegExp)[], name: string): Promise<void> {
  const alert = page.getByRole('alert');
  for (const part of words) await expect(alert).toContainText(part);
  await expectAccessible(page);
  await takeScreenshots(page, `bad-${name}`);
}

test('a dropped model that cannot be used is told in words with the way out, and a good one goes on', async () => {
  const app = await launchApp();
  try {
    const { page } = app;
    for (const [index, { name, make, says, hint }] of BAD_MODELS.entries()) {
      await test.step(name, async () => {
        await dropFiles(page, 'main', [await make(app.folder)]);
        await expectAlert(page, [...says, hint], `model-${index + 1}`);
        await expect(page.getByTestId('next')).toBeDisabled();
      });
    }
    await dropFiles(page, 'main', [EXAMPLE_MODEL]);
    await expect(page.getByTestId('model-summary')).toContainText('Llama');
    await expect(page.getByRole('alert')).toBeHidden();
    await page.getByTestId('next').click();
    await expect(page.locator('h1')).toContainText('Size');
  } finally {
    await app.close();
  }
});

test('a dropped text that is not UTF-8 is told with file and line, and without it the way is free', async () => {
  const app = await launchApp();
  try {
    const { page } = app;
    await dropFiles(page, '[data-testid="drop-zone"]', [EXAMPLE_MODEL]);
    await goOnTo(page, 'Texts');
    await dropFiles(page, 'main', [await makeLatinText(app.folder)]);
    await expectAlert(page, ['old-letters.txt is not UTF-8 text', 'on line 3', 'save it as plain text with the encoding UTF-8'], 'text');
    await expect(page.getByTestId('unusable')).toContainText('“old-letters.txt” cannot be used');
    await expect(page.getByTestId('next')).toBeDisabled();

    const good = join(app.folder, 'letters.txt');
    await writeFile(good, 'Dear aunt, thank you for the cake. It was gone within a minute.\n'.repeat(100));
    await dropFiles(page, 'main', [good]);
    const row = page.getByTestId('text-source').filter({ hasText: 'letters.txt' });
    await expect(row.last()).toContainText('token');
    await expect(page.getByTestId('next')).toBeDisabled();
    await row.filter({ hasText: 'old-letters.txt' }).getByTestId('text-remove').click();
    await expect(page.getByRole('alert')).toBeHidden();
    await page.getByTestId('next').click();
    await expect(page.locator('h1')).toContainText('Check');
  } finally {
    await app.close();
  }
});

test('too little memory is told before the start, and what is to be changed can be', async () => {
  const app = await launchApp({ env: { SHEAR_MEMORY_LIMIT: '118MB' } });
  try {
    const { page } = app;
    await answerPickers(app, app.folder);
    await goToCheck(app, app.folder);
    await expectAlert(page, [/This needs about \d+ MB of memory; 118 MB may be used\./, 'Allow more memory, or choose shorter texts'], 'memory');
    await expect(page.getByTestId('start-run')).toBeDisabled();
    await page.getByTestId('more-settings').locator('summary').click();
    await page.getByTestId('setting-length').fill('64');
    await page.getByTestId('setting-length').press('Tab');
    await expect(page.getByRole('alert')).toBeHidden();
    await expect(page.getByTestId('start-run')).toBeEnabled();
    await expectAccessible(page);
  } finally {
    await app.close();
  }
});

test('a full disk is told before the start, and a folder on another disk is the way out', async () => {
  test.skip(process.platform !== 'linux', 'Only Linux lets a test make a disk.');
  const disk = await makeSmallDisk(4 << 20);
  try {
    const app = await launchApp();
    try {
      const { page } = app;
      await answerPickers(app, disk.folder);
      await goToCheck(app, disk.folder);
      await expectAlert(page, [/This needs about \d+ MB on the disk of .*; 4 MB is free\./, 'choose a folder on another disk'], 'disk');
      await expect(page.getByTestId('start-run')).toBeDisabled();
      await answerPickers(app, app.folder);
      await page.getByTestId('pick-out').click();
      await expect(page.getByTestId('out')).toContainText(app.folder);
      await expect(page.getByTestId('start-run')).toBeEnabled();
      await expect(page.getByRole('alert')).toBeHidden();
    } finally {
      await app.close();
    }
  } finally {
    await disk.close();
  }
});
