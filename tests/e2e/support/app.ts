/**
 * Starts the real, built program for one test with folders of its own, and does what a person does to its window:
 * drops files, looks at it in both themes. Everything that it starts and writes is gone at the end.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { _electron, expect, type ElectronApplication, type Page } from '@playwright/test';

const root = resolve(import.meta.dirname, '..', '..', '..');

/** Both looks of the program. */
export const THEMES = ['light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** A started program. */
export interface RunningApp {
  readonly electron: ElectronApplication;
  readonly page: Page;
  /** Temporary folder of this test, for results; removed at the end. */
  readonly folder: string;
  /** Where this program keeps its runs. */
  readonly runsFolder: string;
  /** Ends the program in order, without a question, and removes its folders. */
  close(): Promise<void>;
  /** Ends the program by a signal, at once (as a power cut does) unless another is named; its folders stay. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/** Options of a start. */
export interface LaunchOptions {
  /** The folder of an earlier start (RunningApp.folder), to go on with its runs. */
  readonly folder?: string;
  /** More environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** More switches of Chromium. */
  readonly switches?: readonly string[];
}

/** Starts the program and waits for its page. */
export async function launchApp(options: LaunchOptions = {}): Promise<RunningApp> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'shear-e2e-')));
  const runsFolder = join(folder, 'runs');
  const inherited = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const electron = await _electron.launch({
    args: [root, `--user-data-dir=${join(folder, 'user')}`, ...(options.switches ?? [])],
    cwd: root,
    // Chromium refuses to sandbox itself for root.
    chromiumSandbox: process.getuid?.() !== 0,
    env: { ...Object.fromEntries(inherited), SHEAR_RUNS_FOLDER: runsFolder, ...options.env },
  });
  const page = await electron.firstWindow();
  await page.waitForLoadState('load');
  const child = electron.process();
  return {
    electron,
    page,
    folder,
    runsFolder,
    close: async () => {
      // The question about a running job is a native dialog that no test can press: answer it with "stop".
      await electron.evaluate(({ dialog }) => {
        dialog.showMessageBox = () => Promise.resolve({ response: 1, checkboxChecked: false });
      });
      await electron.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
    kill: async (signal = 'SIGKILL') => {
      const gone = new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once('exit', () => { resolve(); });
      });
      child.kill(signal);
      await gone;
    },
  };
}

/** Drops files or folders (absolute paths) on the middle of an element, as the desktop does: enter, over, drop. */
export async function dropFiles(page: Page, selector: string, paths: readonly string[]): Promise<void> {
  const box = await page.locator(selector).first().boundingBox();
  if (box === null) throw new Error(`There is nothing to drop on: ${selector} is not shown.`);
  const session = await page.context().newCDPSession(page);
  try {
    const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await session.send('Input.dispatchDragEvent', { type, ...at, data: { items: [], files: [...paths], dragOperationsMask: 1 } });
    }
  } finally {
    await session.detach();
  }
}

/** Keeps a picture of the window in each theme: test-results/screenshots/THEME/NAME.png. */
export async function takeScreenshots(page: Page, name: string): Promise<void> {
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const folder = join(root, 'test-results', 'screenshots', theme);
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

/** Fails with the rule and the elements when the page, in either theme, breaks WCAG 2.2 A or AA as far as axe can tell. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    // Legacy mode: axe would otherwise open a second page, which Electron has not.
    const { violations } = await new AxeBuilder({ page })
      .setLegacyMode(true)
      .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
      .analyze();
    const found = violations.map(({ id, help, nodes }) => ({ theme, id, help, where: nodes.map((node) => node.target.join(' ')) }));
    expect(found).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}
