/** A run outlives what happens to the program: its engine is killed, then all of it, and the run still comes to its end. */
import { rm } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { expectAccessible, launchApp, takeScreenshots, type RunningApp } from './support/app';
import { call } from './support/bridge';
import { answerPickers, goToCheck } from './support/pages';

const RUN_MS = 200_000;

/** Kills the process that computes, as a system short of memory does. */
async function killEngine(app: RunningApp): Promise<void> {
  const pid = await app.electron.evaluate(({ app: program }) => program.getAppMetrics().find((metric) => metric.name === 'Shear engine')?.pid);
  if (pid === undefined) throw new Error('The engine process was not found.');
  process.kill(pid, 'SIGKILL');
}

test('a run whose engine, and then the whole program, is killed is continued from the banner, then from Home, to its end', async () => {
  test.setTimeout(2 * RUN_MS);
  const app = await launchApp();
  const started = [app];
  try {
    await answerPickers(app, app.folder);
    await goToCheck(app, app.folder);
    await app.page.getByTestId('effort-quick').check();
    await expect(app.page.getByTestId('start-run')).toBeEnabled();
    await app.page.getByTestId('start-run').click();
    await expect(app.page.getByTestId('stage-prune')).toHaveAttribute('aria-current', 'true', { timeout: RUN_MS });

    await killEngine(app);
    await expect(app.page.getByRole('alert')).toContainText('Your run is saved, but for the last minutes at most.');
    await expect(app.page.getByTestId('cancel-run')).toBeHidden();
    await expectAccessible(app.page);
    await takeScreenshots(app.page, 'engine-lost');
    await app.page.getByTestId('continue-lost').click();
    await expect(app.page.getByRole('alert')).toBeHidden();
    await expect(app.page.getByTestId('stage-recover')).toHaveAttribute('aria-current', 'true', { timeout: RUN_MS });

    await app.kill();
    const again = await launchApp({ folder: app.folder });
    started.push(again);
    await expect(again.page.getByTestId('runs')).toContainText('Interrupted');
    await expectAccessible(again.page);
    await takeScreenshots(again.page, 'home-interrupted');
    await again.page.getByTestId('continue-run').click();
    await expect(again.page.getByTestId('see-result')).toBeEnabled({ timeout: RUN_MS });
    await again.page.getByTestId('see-result').click();
    for (const exported of await again.page.getByTestId('exported').all()) await expect(exported).toContainText('Opened again from disk and compared');
    const runs = await call(again.page, 'runs.list', {});
    expect(runs.map(({ state }) => state)).toEqual(['done']);
  } finally {
    for (const one of started) await one.kill();
    await rm(app.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});
