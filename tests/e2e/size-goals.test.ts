/** The size in the person's own terms and parts kept whole, in the real window, up to the recipe that a run gets. */
import { resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { dropFiles, expectAccessible, launchApp } from './support/app';
import { call } from './support/bridge';
import { answerPickers, goOnTo, photograph } from './support/pages';

const EXAMPLE_MODEL = resolve(import.meta.dirname, '..', '..', 'resources', 'example', 'stories260K');

test('a size is chosen by file, memory or parameters, parts are locked by keyboard, and the run gets just that', async () => {
  const app = await launchApp();
  try {
    const { page } = app;
    await answerPickers(app, app.folder);
    await page.getByTestId('try-example').click();
    await goOnTo(page, 'Size');
    const forecast = page.getByTestId('forecast');
    await expect(forecast).toContainText('Exactly');
    await photograph(app, '20-size-share');

    // By memory: the model fits into all sizes offered, which is said, and there is no way on.
    await page.getByTestId('size-kind-memory').check({ force: true });
    await expect(page.getByTestId('size-met')).toBeVisible();
    await expect(page.getByTestId('next')).toBeDisabled();
    await expect(page.getByTestId('memory-4')).toHaveAttribute('aria-pressed', 'true');
    await photograph(app, '21-size-memory');
    await expectAccessible(page);

    // By file size: starts near the balanced size; an impossible one is told in the engine's words.
    await page.getByTestId('size-kind-bytes').check({ force: true });
    await expect(page.getByTestId('size-file-unit')).toHaveValue('kB');
    await expect(page.getByTestId('next')).toBeEnabled();
    await page.getByTestId('size-file-number').fill('9');
    await page.getByTestId('size-file-number').press('Tab');
    await expect(forecast.getByRole('alert')).toContainText('cannot be made smaller than');
    await expect(page.getByTestId('next')).toBeDisabled();
    await photograph(app, '22-size-impossible');
    await page.getByTestId('size-file-number').fill('480');
    await page.getByTestId('size-file-number').press('Tab');
    await expect(forecast).toContainText('Exactly');
    await page.getByTestId('size-counted').selectOption('GGUF F16');
    await expect(forecast).toContainText('GGUF F16');
    await photograph(app, '23-size-file');
    await expectAccessible(page);

    // By parameters.
    await page.getByTestId('size-kind-parameters').check({ force: true });
    await page.getByTestId('size-parameters-number').fill('230');
    await page.getByTestId('size-parameters-number').press('Tab');
    await expect(forecast).toContainText('Exactly');
    await expect(page.getByTestId('size-parameters-unit')).toHaveValue('thousand');

    // Locks, by keyboard alone: Tab comes to one square, arrows move, Space locks.
    await page.getByTestId('mode-quality').check();
    const locks = page.getByTestId('locks');
    await locks.locator('summary').click();
    await page.getByTestId('lock-1-attention').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await expect(page.getByTestId('lock-2-mlp')).toBeFocused();
    await page.keyboard.press('Space');
    await expect(page.getByTestId('lock-2-mlp')).toHaveAttribute('aria-pressed', 'true');
    await page.keyboard.press('End');
    await page.keyboard.press('Space');
    await expect(page.getByTestId('lock-5-mlp')).toHaveAttribute('aria-pressed', 'true');
    await expect(page.getByTestId('lock-effect')).toContainText('cannot go');
    await expect(page.getByTestId('lock-effect')).toContainText('Feed-forward stays whole in 2 of 5 layers');
    await expect(forecast).toContainText('Exactly');
    await locks.scrollIntoViewIfNeeded();
    await photograph(app, '24-locks');
    await expectAccessible(page);

    // In equal widths one lock binds all layers.
    await page.getByTestId('mode-everywhere').check();
    await expect(page.getByTestId('lock-effect')).toContainText('Feed-forward stays whole in all 5 layers');
    await expect(page.getByTestId('lock-3-mlp')).toHaveAttribute('aria-label', /another lock/);
    await page.getByTestId('mode-quality').check();
    await expect(forecast).toContainText('Exactly');

    // Back and forward keep all of it; the recipe of the run has it.
    await page.getByTestId('back').click();
    await page.getByTestId('next').click();
    await expect(page.getByTestId('size-parameters-number')).toHaveValue('230');
    await expect(page.getByTestId('locks')).toContainText('2 parts kept');
    await page.getByTestId('back').click();
    await goOnTo(page, 'Check');
    await page.getByTestId('effort-quick').check();
    const more = page.getByTestId('more-settings');
    await more.locator('summary').click();
    await page.getByTestId('compensation-refit').check();
    await page.getByTestId('precision-exact').check();
    await more.scrollIntoViewIfNeeded();
    await photograph(app, '25-more-settings');
    await expectAccessible(page);
    await page.getByTestId('pick-out').click();
    await expect(page.getByTestId('out')).toContainText('with-230-thousand');
    await expect(page.getByTestId('start-run')).toBeEnabled({ timeout: 60_000 });
    await page.getByTestId('start-run').click();
    await expect(page.getByTestId('cancel-run')).toBeVisible({ timeout: 60_000 });
    const [run] = await call(page, 'runs.list', {});
    expect(run?.recipe).toMatchObject({
      mode: 'quality', size: { kind: 'parameters', parameters: 230_000 }, locks: ['2:mlp', '5:mlp'],
      method: { compensation: 'refit' }, training: { precision: 'exact' },
    });
    expect(run?.recipe.exports[0]).toEqual({ format: 'gguf', dtype: 'F16' });
  } finally {
    await app.close();
  }
});

test('a memory limit below the model itself leads to a smaller one', async () => {
  const app = await launchApp();
  try {
    const { page } = app;
    await dropFiles(page, '[data-testid="drop-zone"]', [EXAMPLE_MODEL]);
    await expect(page.getByTestId('next')).toBeEnabled();
    await goOnTo(page, 'Size');
    await page.getByTestId('size-kind-memory').check({ force: true });
    await page.getByTestId('size-memory-unit').selectOption('MB');
    await page.getByTestId('size-memory-number').fill('500.6');
    await page.getByTestId('size-memory-number').press('Tab');
    await page.getByTestId('size-context').fill('128');
    await page.getByTestId('size-context').press('Tab');
    await expect(page.getByTestId('forecast')).toContainText('Exactly');
    await expect(page.getByTestId('next')).toBeEnabled();
  } finally {
    await app.close();
  }
});
