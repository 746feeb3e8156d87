/** The texts page with tables in the real window: columns chosen by hand, bad rows by number, languages, what is drawn. */
import { cp, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { dropFiles, expectAccessible, launchApp } from './support/app';
import { goOnTo, photograph } from './support/pages';

const PARQUET = resolve(import.meta.dirname, '..', 'data', 'parquet', 'questions.parquet');
const ENGLISH = 'The river ran slowly past the old houses, and nobody in the village remembered who had built the bridge over it.';
const GERMAN = 'Der Fluss zog langsam an den alten Häusern vorbei, und niemand im Dorf wusste noch, wer die Brücke darüber gebaut hatte.';

test('tables become texts: columns are chosen where their names do not tell, and rows that cannot be used are named', async () => {
  const app = await launchApp();
  try {
    const { page, folder } = app;
    const rows = [ENGLISH, ENGLISH, GERMAN].map((text, row) => `${row};"${text}"`);
    const table = join(folder, 'letters.csv');
    await writeFile(table, `\uFEFFid;text\r\n${rows.join('\r\n')}\r\n3;four;more\r\n4;"${ENGLISH}"\r\n`);
    const questions = join(folder, 'questions.parquet');
    await cp(PARQUET, questions);
    const damaged = join(folder, 'damaged.parquet');
    await writeFile(damaged, 'This is no table at all.');

    await page.getByTestId('try-example').click();
    await goOnTo(page, 'Texts');
    await dropFiles(page, '[data-testid="texts-drop"]', [table, questions, damaged]);
    const source = (name: string) => page.getByTestId('text-source').filter({ hasText: name }).last();

    await expect(source('letters.csv')).toContainText('CSV table, field "text" · 4 documents', { timeout: 60_000 });
    await expect(source('letters.csv')).toContainText(/English \d+%, German \d+%/);
    await expect(source('letters.csv').getByTestId('text-drawn')).toContainText('of the training at first');
    const bad = source('letters.csv').getByTestId('bad-rows');
    await bad.locator('summary').click();
    await expect(bad).toContainText('1 row cannot be used and is left out');
    await expect(bad).toContainText('Row 5 has 3 cells; the first row names 2 columns');
    await source('letters.csv').getByTestId('text-samples').locator('summary').click();
    await expect(source('letters.csv')).toContainText(ENGLISH);

    await expect(source('damaged.parquet')).toContainText('is no Parquet table');
    await expect(page.getByTestId('unusable')).toBeVisible();
    await expect(page.getByTestId('next')).toBeDisabled();
    await source('damaged.parquet').getByTestId('text-remove').click();

    await expect(source('questions.parquet')).toContainText('Say which columns hold the text.');
    const columns = source('questions.parquet').getByTestId('text-columns');
    await columns.scrollIntoViewIfNeeded();
    await expectAccessible(page);
    await photograph(app, '22-texts-columns');
    await columns.getByTestId('column-kind').selectOption('questions');
    await columns.getByTestId('column-question').selectOption('ask');
    await columns.getByTestId('column-answer').selectOption('reply');
    await expect(source('questions.parquet')).toContainText('questions in "ask", answers in "reply" · 5 documents', { timeout: 60_000 });
    await expect(source('questions.parquet').getByTestId('text-stage')).toHaveValue('instruction');
    await source('questions.parquet').getByTestId('text-samples').locator('summary').click();
    await expect(source('questions.parquet')).toContainText('It is 0.');
    await expect(page.getByTestId('next')).toBeEnabled();
    await columns.scrollIntoViewIfNeeded();
    await expectAccessible(page);
    await photograph(app, '23-texts-chosen');
  } finally {
    await app.close();
  }
});
