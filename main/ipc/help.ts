/** Calls about the program itself that the main process answers: its settings, and the report for somebody who helps. */
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { app, dialog, type BrowserWindow } from 'electron';
import type { SettingsView } from '../../preload/contract/settings';
import { toAppError } from '../engine/support/errors';
import type { CallEngine, DesktopHandlers } from './bridge';
import { identity, writeReport } from './diagnostics';
import { redact } from './redact';
import type { SettingsFile } from './settings-file';

/** What these calls need from the application. */
export interface HelpOptions {
  readonly callEngine: CallEngine;
  readonly window: () => BrowserWindow | null;
  readonly settings: SettingsFile;
  readonly usualRunsFolder: string;
  readonly usualResultsFolder: () => Promise<string>;
  readonly settingsChanged: () => void;
}

type HelpHandlers = Pick<DesktopHandlers, 'settings.read' | 'settings.write' | 'diagnostics.write' | 'diagnostics.save'>;

/** Their handlers. */
export function createHelpHandlers(options: HelpOptions): HelpHandlers {
  const { settings, callEngine } = options;
  const view = async (): Promise<SettingsView> => ({
    settings: settings.current,
    problem: settings.problem,
    usual: { threads: availableParallelism(), resultsFolder: await options.usualResultsFolder(), runsFolder: options.usualRunsFolder },
  });

  return {
    'settings.read': view,
    'settings.write': async ({ settings: wanted }) => {
      for (const folder of [wanted.resultsFolder, wanted.runsFolder]) if (folder !== null) await requireWritable(folder);
      await settings.save(wanted);
      options.settingsChanged();
      return view();
    },
    'diagnostics.write': async () => {
      const [devices, runs] = await Promise.all([callEngine('devices.list', {}), callEngine('runs.list', {})]);
      const report = writeReport({
        version: app.getVersion(),
        electron: process.versions.electron,
        settings: settings.current,
        settingsProblem: settings.problem,
        devices: devices.ok ? devices.value : devices.error.message,
        runs: runs.ok ? runs.value : runs.error.message,
      });
      return { text: redact(report, identity()) };
    },
    'diagnostics.save': async ({ text }) => {
      const window = options.window();
      const wish = { title: 'Save the report', defaultPath: join(await options.usualResultsFolder(), 'shear-report.txt'), filters: [{ name: 'Text', extensions: ['txt'] }] };
      const { canceled, filePath } = window === null ? await dialog.showSaveDialog(wish) : await dialog.showSaveDialog(window, wish);
      if (canceled || filePath === '') return null;
      try {
        await writeFile(filePath, text);
      } catch (error) {
        throw toAppError(error, filePath);
      }
      return filePath;
    },
  };
}

/** Makes a folder if need be. Throws AppError where it cannot be made or written to. */
async function requireWritable(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (error) {
    throw toAppError(error, folder);
  }
}
