/** What keeps the window in: its settings, its policy, who may call the engine, and that nothing reaches the network. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import type { WebContents, WebPreferences } from 'electron';
import { calls } from '../../preload/contract/channels';
import { dropFiles, launchApp } from './support/app';
import { callAnything } from './support/bridge';

const EXAMPLE_MODEL = resolve(import.meta.dirname, '..', '..', 'resources', 'example', 'stories260K');
const PRELOAD = resolve(import.meta.dirname, '..', '..', 'out', 'preload', 'index.cjs');
const SCRIPT = `<img src=x onerror="document.title='taken'">`;

test('the page is kept in: isolated, sandboxed, without node, permissions, code from texts, or frames', async () => {
  const app = await launchApp();
  try {
    const { electron, page } = app;
    const preferences = await electron.evaluate(({ BrowserWindow }) => {
      // Not in Electron's types: what the window was really given, after its defaults.
      const contents = BrowserWindow.getAllWindows()[0]?.webContents as (WebContents & { getLastWebPreferences(): WebPreferences | null }) | undefined;
      const found = contents?.getLastWebPreferences();
      return { contextIsolation: found?.contextIsolation, sandbox: found?.sandbox, nodeIntegration: found?.nodeIntegration, webSecurity: found?.webSecurity };
    });
    expect(preferences).toEqual({ contextIsolation: true, sandbox: true, nodeIntegration: false, webSecurity: true });

    const tried = await page.evaluate(async () => {
      const blocked: string[] = [];
      document.addEventListener('securitypolicyviolation', (event) => blocked.push(event.effectiveDirective));
      const state = async (name: string): Promise<string> => (await navigator.permissions.query({ name: name as PermissionName })).state;
      const media = await navigator.mediaDevices.getUserMedia({ audio: true }).then(() => 'given', () => 'refused');
      const clipboard = await navigator.clipboard.readText().then(() => 'given', () => 'refused');
      let code = 'refused';
      try {
        code = String((Reflect.construct(Function, ['return "run"']) as () => unknown)());
      } catch { /* as it should be */ }
      const frame = document.createElement('iframe');
      frame.src = 'https://example.com/';
      document.body.append(frame);
      await new Promise((done) => setTimeout(done, 300));
      frame.remove();
      return { media, clipboard, code, geolocation: await state('geolocation'), blocked: [...new Set(blocked)].sort() };
    });
    expect(tried).toEqual({ media: 'refused', clipboard: 'refused', code: 'refused', geolocation: 'denied', blocked: ['frame-src', 'script-src'] });
  } finally {
    await app.close();
  }
});

test('a page of another window is not answered, even with the own preload script and address', async () => {
  const app = await launchApp();
  try {
    const answer = await app.electron.evaluate(async ({ BrowserWindow }, preload) => {
      const own = BrowserWindow.getAllWindows()[0]?.webContents;
      const other = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true, contextIsolation: true } });
      try {
        await other.loadURL(own?.getURL() ?? '');
        return String(await other.webContents.executeJavaScript('window.shear.call("runs.list", {}).then((answer) => JSON.stringify(answer))'));
      } finally {
        other.destroy();
      }
    }, PRELOAD);
    const { ok, error } = JSON.parse(answer) as { ok: boolean; error: { code: string; message: string } };
    expect({ ok, code: error.code }).toEqual({ ok: false, code: 'usage' });
    expect(error.message).toContain("not this program's own");
  } finally {
    await app.close();
  }
});

test('no call of the bridge takes what its rules do not name', async () => {
  const app = await launchApp();
  try {
    for (const name of Object.keys(calls)) {
      for (const request of [{ surprise: 1 }, null, 7, 'text', { path: ['a'], runId: '../..' }]) {
        expect(await callAnything(app.page, name, request), `${name} with ${JSON.stringify(request)}`).toMatchObject({ ok: false, error: { code: 'usage' } });
      }
    }
  } finally {
    await app.close();
  }
});

test('names with HTML and script in them are shown as they are, and nothing in the whole session reaches for the network', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shear-security-'));
  const log = join(folder, 'net.json');
  try {
    const app = await launchApp({ switches: [`--log-net-log=${log}`] });
    const { page } = app;
    const model = join(folder, SCRIPT);
    await cp(EXAMPLE_MODEL, model, { recursive: true });
    const text = join(folder, `${SCRIPT}.txt`);
    await writeFile(text, 'Once upon a time there was a little dog who liked to run.\n'.repeat(200));
    await dropFiles(page, '[data-testid="drop-zone"]', [model]);
    await expect(page.getByTestId('model-summary')).toContainText('Llama');
    await expect(page.locator('main')).toContainText(SCRIPT);
    await page.getByTestId('next').click();
    await page.getByTestId('next').click();
    await dropFiles(page, 'main', [text]);
    await expect(page.getByTestId('text-source').filter({ hasText: SCRIPT })).toContainText('token');
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toContain('Shear');
    await app.close();
    expect(await networkUses(log)).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});

/** Everything in Chromium's log of its network that names an address other than the own page, a socket or a name to look up. */
async function networkUses(path: string): Promise<string[]> {
  const { constants, events } = JSON.parse(await readFile(path, 'utf8')) as {
    readonly constants: { readonly logEventTypes: Readonly<Record<string, number>> };
    readonly events: readonly { readonly type: number; readonly params?: { readonly url?: string; readonly host?: string; readonly address?: string } }[];
  };
  const names = new Map(Object.entries(constants.logEventTypes).map(([name, type]) => [type, name]));
  const isUse = /^(TCP_CONNECT|SOCKET_ALIVE|UDP_CONNECT|SSL_CONNECT|HOST_RESOLVER_MANAGER_(REQUEST|JOB)|HTTP_TRANSACTION|QUIC_SESSION$|PROXY_RESOLUTION)/;
  // Should Chromium rename its events, this must not go on seeing nothing.
  for (const name of ['TCP_CONNECT', 'UDP_CONNECT', 'SSL_CONNECT', 'HOST_RESOLVER_MANAGER_REQUEST']) expect(Object.keys(constants.logEventTypes)).toContain(name);
  return events
    .map(({ type, params }) => ({ name: names.get(type) ?? '', url: params?.url ?? params?.host ?? params?.address ?? '' }))
    .filter(({ name, url }) => isUse.test(name) || (/^\w+:\/\//.test(url) && !url.startsWith('app://shear/')))
    .map(({ name, url }) => `${name} ${url}`);
}
