/** Ways through the window that several tests take: the wizard up to its check page, and what every page must be. */
import { expect, type Page } from '@playwright/test';
import { expectAccessible, takeScreenshots, type RunningApp } from './app';

/** Lets every folder picker answer with this folder: a native dialog cannot be pressed by a test. */
export async function answerPickers(app: RunningApp, folder: string): Promise<void> {
  await app.electron.evaluate(({ dialog }, path) => {
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [path] });
  }, folder);
}

/** The page is the one with this heading, has the focus on it, breaks no accessibility rule, and is photographed. */
export async function expectPage(page: Page, step: string, name: string): Promise<void> {
  const heading = page.locator('h1');
  await expect(heading).toContainText(step);
  await expect(heading).toBeFocused();
  await expectAccessible(page);
  await takeScreenshots(page, name);
}

/** Presses "Next" until the step with this heading is shown. */
export async function goOnTo(page: Page, last: 'Size' | 'Texts' | 'Check'): Promise<void> {
  for (const step of ['Size', 'Texts', 'Check']) {
    await page.getByTestId('next').click();
    await expect(page.locator('h1')).toContainText(step);
    if (step === last) return;
  }
}

/** From Home to the check page with the example; the result goes to the folder that pickers answer with. */
export async function goToCheck({ page }: RunningApp, outFolder: string): Promise<void> {
  await page.getByTestId('try-example').click();
  await goOnTo(page, 'Check');
  await page.getByTestId('pick-out').click();
  await expect(page.getByTestId('out')).toContainText(outFolder);
}

/** Window sizes that every page has to look right at. */
const WINDOW_SIZES = [
  { name: '1280', width: 1280, height: 800 },
  { name: '1024', width: 1024, height: 640 },
] as const;

/** Pictures of the page in both themes at both window sizes; nothing may stick out to the right. */
export async function photograph({ electron, page }: RunningApp, name: string): Promise<void> {
  for (const size of WINDOW_SIZES) {
    await electron.evaluate(({ BrowserWindow }, { width, height }) => BrowserWindow.getAllWindows()[0]?.setContentSize(width, height), size);
    // The text size of the settings zooms: fewer, larger pixels of the page.
    await expect.poll(() => page.evaluate((width) => Math.abs(window.innerWidth * devicePixelRatio - width) < 2, size.width)).toBe(true);
    expect(await page.evaluate(() => {
      const main = document.querySelector('main');
      return main === null ? 0 : main.scrollWidth - main.clientWidth;
    })).toBe(0);
    await takeScreenshots(page, `${name}-${size.name}`);
  }
}
