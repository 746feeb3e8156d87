/** The main job in the real window: a dropped model, every page, a verified export; and a run that is cancelled. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { dropFiles, expectAccessible, launchApp, takeScreenshots } from './support/app';
import { call } from './support/bridge';
import { answerPickers, expectPage, goToCheck } from './support/pages';

const EXAMPLE_MODEL = resolve(import.meta.dirname, '..', '..', 'resources', 'example', 'stories260K');
/** The whole example job takes under two minutes on two cores; slower machines get room. */
const RUN_MS = 200_000;

test('a dropped model goes through all pages to a smaller model that is written, checked and exported again', async () => {
  test.setTimeout(RUN_MS + 160_000);
  const app = await launchApp();
  try {
    const { page } = app;
    await answerPickers(app, app.folder);
    await expect(page.getByTestId('drop-zone')).toBeVisible();
    await expect(page.getByTestId('try-example')).toBeVisible();
    await expectPage(page, 'Make a language model smaller', '1-home');

    await dropFiles(page, '[data-testid="drop-zone"]', [EXAMPLE_MODEL]);
    await expect(page.getByTestId('model-summary')).toContainText('Llama');
    await expectPage(page, 'Step 1 of 6: Model', '2-model');

    await page.getByTestId('next').click();
    await expect(page.getByTestId('forecast')).toContainText('Exactly');
    await expectPage(page, 'Step 2 of 6: Size', '3-size');
    await page.getByTestId('ratio-number').fill('60');
    await page.getByTestId('ratio-number').press('Tab');
    await expect(page.getByTestId('risky')).toBeVisible();
    await expect(page.getByTestId('ratio-slider')).toHaveValue('60');
    await page.getByTestId('preset-balanced').click();
    await expect(page.getByTestId('ratio-number')).toHaveValue('20');

    await page.getByTestId('next').click();
    await expect(page.getByTestId('text-source').first()).toContainText('token');
    await expect(page.getByTestId('next')).toBeEnabled();
    await expectPage(page, 'Step 3 of 6: Texts', '4-texts');
    const sources = await page.getByTestId('text-source').count();
    await page.getByTestId('text-remove').last().click();
    await expect(page.getByTestId('text-source')).toHaveCount(sources - 1);
    await page.getByTestId('undo').click();
    await expect(page.getByTestId('text-source')).toHaveCount(sources);

    await page.getByTestId('next').click();
    await expect(page.getByTestId('start-run')).toBeEnabled();
    await page.getByTestId('effort-quick').check();
    await page.getByTestId('pick-out').click();
    await expect(page.getByTestId('out')).toContainText(app.folder);
    await expect(page.getByTestId('start-run')).toBeEnabled();
    await expect(page.getByTestId('estimate-time')).not.toBeEmpty();
    await page.locator('h1').focus();
    await expectPage(page, 'Step 4 of 6: Check', '5-check');
    const more = page.getByTestId('more-settings');
    await more.locator('summary').click();
    await expect(more).not.toContainText('undefined');
    await more.scrollIntoViewIfNeeded();
    await expectAccessible(page);
    await takeScreenshots(page, '5-check-more');
    await more.locator('summary').click();

    await page.getByTestId('start-run').click();
    await expect(page.getByTestId('knowledge-chart').locator('td').first()).toBeVisible({ timeout: RUN_MS });
    await expectPage(page, 'Step 5 of 6: Run', '6-run');
    await expect(page.getByTestId('see-result')).toBeEnabled({ timeout: RUN_MS });
    await expect(page.getByTestId('loss-chart').locator('canvas')).toBeVisible();
    await page.getByTestId('loss-chart-toggle').click();
    await expect(page.getByTestId('loss-chart').locator('table')).toBeVisible();
    await takeScreenshots(page, '7-run-done');

    await page.getByTestId('see-result').click();
    await expect(page.getByTestId('result')).toBeVisible();
    await expect(page.getByTestId('exported')).toHaveCount(2);
    for (const exported of await page.getByTestId('exported').all()) await expect(exported).toContainText('Opened again from disk and compared');
    await expectPage(page, 'Step 6 of 6: Result', '8-result');

    await page.getByTestId('prompt').fill('Once upon a time');
    await page.getByTestId('prompt-tokens').fill('16');
    await page.getByTestId('write').click();
    for (const side of ['answer-before', 'answer-after']) await expect(page.getByTestId(side)).toContainText(/\w+ \w+/);

    await page.getByTestId('export-again').click();
    await expect(page.getByTestId('exported-again')).toContainText('Opened again from disk and compared', { timeout: 60_000 });
    expect((await readdir(app.folder)).filter((name) => name.startsWith('stories260K-minus-20-percent')).length).toBe(2);

    // The written folder is a model like any other: the window opens it.
    const [run] = await call(page, 'runs.list', {});
    const written = run?.result?.exports[0]?.path ?? '';
    expect(existsSync(join(written, 'config.json'))).toBe(true);
    await page.getByTestId('another').click();
    await expect(page.getByTestId('open-run')).toHaveCount(1);
    await dropFiles(page, '[data-testid="drop-zone"]', [written]);
    await expect(page.getByTestId('model-summary')).toBeVisible();
    await expect(page.getByTestId('next')).toBeEnabled();
  } finally {
    await app.close();
  }
});

test('a run that is cancelled in the middle stops soon, stays in the list, and can be continued, opened and deleted', async () => {
  test.setTimeout(RUN_MS);
  const app = await launchApp();
  try {
    const { page } = app;
    await answerPickers(app, app.folder);
    await goToCheck(app, app.folder);
    await page.getByTestId('effort-thorough').check();
    await page.getByTestId('start-run').click();
    await expect(page.getByTestId('stage-prune')).toHaveAttribute('aria-current', 'true', { timeout: 120_000 });

    await page.getByTestId('cancel-run').click();
    await page.getByTestId('confirm-no').click();
    await expect(page.getByTestId('cancel-run')).toBeEnabled();
    await page.getByTestId('cancel-run').click();
    await expectAccessible(page);
    await page.getByTestId('confirm-yes').click();
    await expect(page.getByTestId('cancel-run')).toBeHidden();
    await expect(page.getByTestId('continue-run')).toBeVisible();
    await takeScreenshots(page, '9-cancelled');

    await page.getByTestId('home').click();
    await expect(page.getByTestId('runs')).toContainText('Cancelled');
    await page.getByTestId('continue-run').click();
    await expect(page.getByTestId('stage-prune')).toHaveAttribute('aria-current', 'true');
    await expect(page.getByTestId('knowledge-chart').locator('td').first()).toBeVisible();
    await page.getByTestId('cancel-run').click();
    await page.getByTestId('confirm-yes').click();
    await expect(page.getByTestId('cancel-run')).toBeHidden();
    await expect(page.getByTestId('continue-run')).toBeVisible();
    await page.getByTestId('home').click();
    await page.getByTestId('open-run').click();
    await expect(page.getByTestId('continue-run')).toBeVisible();
    await page.getByTestId('home').click();
    await page.getByTestId('delete-run').click();
    await expect(page.getByTestId('runs')).toBeHidden();
    await expect.poll(() => call(page, 'runs.list', {}).then((runs) => runs.length)).toBe(0);
    expect(existsSync(join(app.folder, 'stories260K-minus-20-percent', 'config.json'))).toBe(false);
  } finally {
    await app.close();
  }
});

test('what is no model, or does not fit, is told in words with the way out', async () => {
  const app = await launchApp();
  try {
    const { page } = app;
    await dropFiles(page, '[data-testid="drop-zone"]', [app.folder]);
    await expect(page.getByRole('alert')).toBeVisible();
    await expectPage(page, 'Step 1 of 6: Model', '10-no-model');
    await page.getByTestId('copy-details').click();
    await expect(page.getByTestId('copy-details')).toContainText('Copied');
    expect(await app.electron.evaluate(({ clipboard }) => clipboard.readText())).toContain('"code"');
    await expect(page.getByTestId('next')).toBeDisabled();
    await page.getByTestId('back').click();
    await expect(page.getByTestId('drop-zone')).toBeVisible();
  } finally {
    await app.close();
  }
});
