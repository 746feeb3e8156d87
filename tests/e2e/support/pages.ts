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
