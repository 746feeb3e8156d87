/** Leaving the program while a run goes on: it asks, it stops in order, and nothing is lost even when it is killed. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { ShearBridge } from '../../preload/contract/channels';
import { launchApp, type RunningApp } from './support/app';
import { call } from './support/bridge';

/** Starts a run of the example with more training than a test waits for, and resolves when it has begun to train. */
async function startLongRun(app: RunningApp): Promise<string> {
  const example = await call(app.page, 'app.example', {});
  const started = app.page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        (window as unknown as { shear: ShearBridge }).shear.on('run.event', (event) => {
          if (event.type === 'loss') resolve();
        });
      }),
  );
  const { runId } = await call(app.page, 'runs.start', {
    recipe: {
      model: example.model,
      size: { kind: 'ratio', ratio: 0.2 },
      sources: example.texts.map(({ path, name }) => ({ kind: 'text', path, name })),
      budgetTokens: 50_000_000,
      out: join(app.folder, 'result'),
    },
  });
  await started;
  return runId;
}

/** Answers the question about the run with this button from now on, and counts how often it is asked. */
async function answerQuestions(app: RunningApp, button: number): Promise<void> {
  await app.electron.evaluate(({ dialog }, response) => {
    const counted = globalThis as { questions?: number };
    dialog.showMessageBox = () => {
      counted.questions = (counted.questions ?? 0) + 1;
      return Promise.resolve({ response, checkboxChecked: false });
    };
  }, button);
}

const started: RunningApp[] = [];

/** Starts the program, again with the same folder if one is given; whatever the test does, it ends with the test. */
async function launch(folder?: string): Promise<RunningApp> {
  const app = await launchApp(folder === undefined ? {} : { folder });
  started.push(app);
  return app;
}

test.afterEach(async () => {
  for (const app of started) await app.kill();
  for (const { folder } of started) await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  started.length = 0;
});

/** The states of all runs. */
async function states(app: RunningApp): Promise<string[]> {
  return (await call(app.page, 'runs.list', {})).map((run) => `${run.runId} ${run.state}`);
}

test('closing the window during a run asks, and the run that was stopped is kept', async () => {
  const app = await launch();
  const runId = await startLongRun(app);

  await answerQuestions(app, 0);
  await app.electron.evaluate(({ BrowserWindow }) => { BrowserWindow.getAllWindows()[0]?.close(); });
  await expect.poll(() => app.electron.evaluate(() => (globalThis as { questions?: number }).questions)).toBe(1);
  expect(await states(app)).toEqual([`${runId} running`]);

  const ended = app.electron.waitForEvent('close');
  await answerQuestions(app, 1);
  await app.electron.evaluate(({ BrowserWindow }) => { BrowserWindow.getAllWindows()[0]?.close(); });
  await ended;

  expect(await states(await launch(app.folder))).toEqual([`${runId} interrupted`]);
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`a run of a program that was ended by ${signal} can be continued`, async () => {
    const app = await launch();
    const runId = await startLongRun(app);
    await app.kill(signal);

    const again = await launch(app.folder);
    const [kept] = await call(again.page, 'runs.list', {});
    expect(kept).toMatchObject({ runId, state: 'interrupted' });
    expect(kept?.lastStage).not.toBeNull();
    await call(again.page, 'runs.continue', { runId });
    await expect.poll(() => states(again)).toEqual([`${runId} running`]);
  });
}
