/**
 * The packaged program, not the sources: its window does the example job, and so does its command line. Left out where
 * `npm run package` has not been run since the last build. Its fuses keep Playwright's own driver out, so that it is
 * driven through the debugging port, as a browser is.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, expect, test, type Page } from '@playwright/test';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { canLeaveNetwork, WITHOUT_NETWORK } from '../support/no-network';
import { call } from './support/bridge';
import { end, runProgram } from './support/program';

const root = resolve(import.meta.dirname, '..', '..');
const unpacked = process.env['SHEAR_PACKAGE'] ?? join(root, 'dist', 'linux-unpacked');
const program = join(unpacked, 'shear-desktop');
const commandLine = join(unpacked, 'bin', 'shear');
/** Each takes a minute or two on two cores that have nothing else to do. */
const RUN_MS = 900_000;

test.describe('the package', () => {
  test.skip(!isCurrent(), 'No package of this build is there: npm run package makes one.');

  test('has the switches set that keep other code out', async () => {
    const wire = await getCurrentFuseWire(program);
    const isOn = (fuse: FuseV1Options): boolean => wire[fuse] === FuseState.ENABLE;
    expect({
      runAsNode: isOn(FuseV1Options.RunAsNode),
      nodeOptions: isOn(FuseV1Options.EnableNodeOptionsEnvironmentVariable),
      inspect: isOn(FuseV1Options.EnableNodeCliInspectArguments),
      fileRights: isOn(FuseV1Options.GrantFileProtocolExtraPrivileges),
      onlyAsar: isOn(FuseV1Options.OnlyLoadAppFromAsar),
    }).toEqual({ runAsNode: false, nodeOptions: false, inspect: false, fileRights: false, onlyAsar: true });
  });

  test('runs no code that environment variables name', async () => {
    const asNode = await runProgram(program, ['--no-sandbox', '--log-level=3', '--command-line', '--', '--version'], {
      ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: '--require=/no/such/module.js',
    });
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { readonly version: string };
    expect(asNode).toMatchObject({ status: 0, stdout: `${version}\n` });
  });

  test('is as small as promised and holds one system\'s onnxruntime', async () => {
    const files = (await readdir(unpacked, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    expect(files.reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(330e6);
    const bindings = files.filter((file) => file.endsWith('onnxruntime_binding.node'));
    expect(bindings.map((file) => file.split('/').slice(-3, -1))).toEqual([[process.platform, process.arch]]);
    expect(files.filter((file) => /default_app\.asar$/.test(file))).toEqual([]);
    const bill = JSON.parse(await readFile(join(unpacked, 'resources', 'sbom.cdx.json'), 'utf8')) as { readonly bomFormat: string };
    expect(bill.bomFormat).toBe('CycloneDX');
  });

  test('does the example job on its command line without a display and without a network, and tells failures by its exit status', async () => {
    test.setTimeout(RUN_MS);
    const folder = await mkdtemp(join(tmpdir(), 'shear-packaged-'));
    try {
      const out = join(folder, 'result');
      const environment = { SHEAR_RUNS_FOLDER: join(folder, 'runs'), DISPLAY: undefined, WAYLAND_DISPLAY: undefined };
      const [first = commandLine, ...rest] = [...(canLeaveNetwork() ? WITHOUT_NETWORK : []), commandLine, 'example', '--json', '--out', out];
      const done = await runProgram(first, rest, environment);
      expect(done, done.stderr).toMatchObject({ status: 0 });
      expect(await readdir(out)).toContain('report.html');
      const verified = await runProgram(commandLine, ['verify', join(out, 'model')], environment);
      expect(verified, verified.stderr).toMatchObject({ status: 0 });
      expect(await runProgram(commandLine, ['nothing'], environment)).toMatchObject({ status: 2, stdout: '' });
      expect(await runProgram(commandLine, ['inspect', join(folder, 'nowhere')], environment)).toMatchObject({ status: 3 });
    } finally {
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
  });

  test('does the example job in its window', async () => {
    test.setTimeout(RUN_MS);
    const folder = await mkdtemp(join(tmpdir(), 'shear-packaged-'));
    const { page, child } = await openPackaged(folder);
    try {
      await expect(page).toHaveTitle(/Shear/);
      await page.getByTestId('try-example').click();
      for (const step of ['Size', 'Texts', 'Check']) {
        await page.getByTestId('next').click();
        await expect(page.locator('h1')).toContainText(step);
      }
      await page.getByTestId('effort-quick').check();
      await expect(page.getByTestId('start-run')).toBeEnabled({ timeout: 120_000 });
      await page.getByTestId('start-run').click();
      await expect(page.getByTestId('see-result')).toBeEnabled({ timeout: RUN_MS });
      await page.getByTestId('see-result').click();
      for (const exported of await page.getByTestId('exported').all()) await expect(exported).toContainText('Opened again from disk and compared');
      const [run] = await call(page, 'runs.list', {});
      expect(run?.state).toBe('done');
      expect(existsSync(join(run?.result?.exports[0]?.path ?? '', 'config.json'))).toBe(true);
    } finally {
      await end(child);
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    }
  });
});

/** Whether there is a package that is not older than the build. */
function isCurrent(): boolean {
  const built = join(root, 'out', 'main', 'index.js');
  const packed = join(unpacked, 'resources', 'app.asar');
  return existsSync(program) && existsSync(packed) && (process.env['SHEAR_PACKAGE'] !== undefined || statSync(packed).mtimeMs >= statSync(built).mtimeMs);
}

/** Starts it with every folder of its own below `folder`, and waits for its page. */
async function openPackaged(folder: string, more: readonly string[] = []): Promise<{ readonly page: Page; readonly child: ChildProcess }> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const child = spawn(program, [...sandbox, '--remote-debugging-port=0', `--user-data-dir=${join(folder, 'user')}`, ...more], {
    env: { ...process.env, HOME: folder, SHEAR_RUNS_FOLDER: join(folder, 'runs') }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  const address = await new Promise<string>((found, failed) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const match = /DevTools listening on (ws:\S+)/.exec(said);
      if (match?.[1] !== undefined) found(match[1]);
    });
    child.once('error', failed);
    child.once('exit', (status) => { failed(new Error(`The program ended with ${String(status)}: ${said}`)); });
  });
  const browser = await chromium.connectOverCDP(address);
  const context = browser.contexts()[0];
  if (context === undefined) throw new Error('The program shows no page.');
  const page = context.pages()[0] ?? (await context.waitForEvent('page'));
  await page.waitForLoadState('load');
  return { page, child };
}
