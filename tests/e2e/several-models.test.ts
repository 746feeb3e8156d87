/** Several models dropped at once in the real window: each is looked at, one is chosen with the keyboard, texts come along. */
import { cp, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { BAD_MODELS } from '../support/bad-input';
import { dropFiles, expectAccessible, launchApp, takeScreenshots } from './support/app';
import { goOnTo } from './support/pages';

const EXAMPLE_MODEL = resolve(import.meta.dirname, '..', '..', 'resources', 'example', 'stories260K');

test('of several dropped models one is chosen with the keyboard, and what is wrong with the others is told', async () => {
  const app = await launchApp();
  try {
    const { page, folder } = app;
    const second = join(folder, 'another story teller');
    await cp(EXAMPLE_MODEL, second, { recursive: true });
    const [picture, ...others] = BAD_MODELS;
    const cut = others.find(({ name }) => name === 'a truncated shard');
    const bad = [await picture?.make(folder), await cut?.make(folder)].filter((path) => path !== undefined);
    const letters = join(folder, 'letters.txt');
    await writeFile(letters, 'Dear aunt, thank you for the cake. It was gone within a minute.\n'.repeat(100));
    const files = ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => join(second, name));
    await dropFiles(page, '[data-testid="drop-zone"]', [EXAMPLE_MODEL, ...bad, letters, ...files]);

    await expect(page.getByTestId('notice')).toContainText('4 possible models were dropped and 1 text for step 3');
    const rows = page.getByTestId('candidate');
    await expect(rows).toHaveCount(4);
    await expect(page.getByTestId('candidates')).toHaveAttribute('aria-busy', 'false');
    await expect(rows.filter({ hasText: 'stories260K' })).toContainText('Llama, 260 thousand parameters, 1.04 MB (F32)');
    await expect(rows.filter({ hasText: 'holiday.png' })).toContainText('is not a model file');
    await expect(rows.filter({ hasText: 'cut-short' })).toContainText('1000 bytes are missing');
    await expect(page.getByRole('radio', { disabled: true })).toHaveCount(2);
    await expect(page.getByTestId('next')).toBeDisabled();
    await expectAccessible(page);
    await takeScreenshots(page, 'several-models');

    const [first, last] = [page.getByRole('radio', { name: 'stories260K' }), page.getByRole('radio', { name: 'another story teller' })];
    await first.focus();
    await page.keyboard.press('Space');
    await expect(page.getByTestId('model-summary')).toContainText('stories260K');
    await page.keyboard.press('ArrowDown');
    await expect(last).toBeChecked();
    await expect(last).toBeFocused();
    await expect(page.getByTestId('model-summary')).toContainText('another story teller');
    await expectAccessible(page);
    await takeScreenshots(page, 'several-models-chosen');

    await goOnTo(page, 'Texts');
    await expect(page.getByTestId('text-source')).toHaveCount(1);
    await expect(page.getByTestId('text-source')).toContainText('letters.txt');
  } finally {
    await app.close();
  }
});
