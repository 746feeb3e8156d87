/** The shell around the page: what the window may do, and what it must not. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { ShearBridge } from '../../preload/contract/channels';
import { dropFiles, launchApp, type RunningApp } from './support/app';
import { callAnything } from './support/bridge';

let app: RunningApp;

test.beforeAll(async () => {
  app = await launchApp();
});

test.afterAll(async () => {
  await app.close();
});

test('the window opens with a title and at least its smallest size', async () => {
  await expect(app.page).toHaveTitle(/Shear/);
  const size = await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.getMinimumSize());
  expect(size).toEqual([900, 600]);
});

test('the page gets the bridge and nothing else from the program', async () => {
  const found = await app.page.evaluate(() => {
    const shown = window as unknown as Record<string, unknown> & { shear: ShearBridge };
    return {
      bridge: Object.keys(shown.shear).sort(),
      leaks: ['require', 'process', 'module', 'Buffer', 'electron', 'ipcRenderer', '__dirname'].filter((name) => name in shown),
    };
  });
  expect(found).toEqual({ bridge: ['call', 'on', 'pathOf'], leaks: [] });
});

test('the engine process answers a call', async () => {
  expect(await callAnything(app.page, 'runs.list', {})).toEqual({ ok: true, value: [] });
});

test('the engine process gives way to the window and to everything else', async () => {
  const pids = await app.electron.evaluate(({ app: program }) => program.getAppMetrics().map(({ name, type, pid }) => ({ role: name ?? type, pid })));
  const priorityOf = (role: string): number => getPriority(pids.find((one) => one.role === role)?.pid ?? -1);
  expect(priorityOf('Shear engine')).toBeGreaterThan(getPriority());
  expect(priorityOf('Tab')).toBeLessThanOrEqual(getPriority());
});

test('a call with a wrong payload is refused and says which field is wrong', async () => {
  const answer = await callAnything(app.page, 'models.inspect', { path: 7, more: true });
  expect(answer).toMatchObject({ ok: false, error: { code: 'usage' } });
  expect(answer.ok ? '' : answer.error.message).toContain('path');
});

test('a call that does not exist is refused', async () => {
  for (const name of ['nothing.here', 'constructor', '__proto__']) {
    expect(await callAnything(app.page, name, {})).toMatchObject({ ok: false, error: { code: 'usage' } });
  }
});

test('only files of the page are served, whatever the address says', async () => {
  const statuses = await app.page.evaluate(async () => {
    const addresses = ['/%2e%2e/main/index.js', '/..%2f..%2fpackage.json', '/%E0%A4%A', '/', '/missing.js'];
    // The page's policy lets it fetch nothing at all, so that a scripted tag has to try.
    return Promise.all(
      addresses.map(
        (path) =>
          new Promise<string>((resolve) => {
            const script = document.createElement('script');
            script.src = path;
            script.onload = () => { resolve(`${path} loaded`); };
            script.onerror = () => { resolve('refused'); };
            document.head.append(script);
          }),
      ),
    );
  });
  expect(statuses).toEqual(['refused', 'refused', 'refused', 'refused', 'refused']);
});

test('the page cannot reach the network, run inline code or ask for permissions', async () => {
  const found = await app.page.evaluate(async () => {
    const fetched = await fetch('https://example.com/').then(() => 'fetched', () => 'refused');
    const script = document.createElement('script');
    script.textContent = 'window.inlineRan = true';
    document.head.append(script);
    const permission = await Notification.requestPermission();
    return { fetched, inline: 'inlineRan' in window, permission };
  });
  expect(found).toEqual({ fetched: 'refused', inline: false, permission: 'denied' });
});

test('the engine starts again by itself after it was lost', async () => {
  const lost = app.page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const { shear } = window as unknown as { shear: ShearBridge };
        shear.on('engine.lost', ({ message }) => { resolve(message); });
      }),
  );
  await callAnything(app.page, 'runs.list', {});
  const engine = await app.electron.evaluate(({ app: electron }) => electron.getAppMetrics().find((metric) => metric.name === 'Shear engine')?.pid);
  expect(engine).toBeDefined();
  process.kill(engine ?? 0, 'SIGKILL');
  expect(await lost).toContain('ended unexpectedly');
  expect(await callAnything(app.page, 'runs.list', {})).toEqual({ ok: true, value: [] });
});

// The last two: Playwright goes on waiting for the navigations that they try.

test('a file dropped beside the drop area does not replace the page', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shear-drop-'));
  try {
    const file = join(folder, 'page.html');
    await writeFile(file, '<title>not ours</title>');
    await dropFiles(app.page, 'body', [file]);
    expect(await app.page.evaluate(() => document.title)).toMatch(/Shear/);
    expect(app.page.url()).toBe('app://shear/index.html');
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});

test('the page cannot go elsewhere or open other windows', async () => {
  const address = app.page.url();
  expect(address).toBe('app://shear/index.html');
  await app.page.evaluate(() => {
    window.location.href = 'https://example.com/';
    window.open('https://example.com/');
  });
  expect(await app.electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
  expect(app.page.url()).toBe(address);
});
