/** Calls that the main process answers itself: dialogs, the file manager, facts about the program and its example. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { app, dialog, shell, type BrowserWindow, type OpenDialogOptions } from 'electron';
import * as v from 'valibot';
import { InternalError, NotFoundError } from '../engine/support/errors';
import type { CallEngine, DesktopHandlers } from './bridge';
import { createHelpHandlers } from './help';
import type { SettingsFile } from './settings-file';

/** What these calls need from the application. */
export interface DesktopOptions {
  /** Folder with `model/` and `texts/index.json`. */
  readonly exampleFolder: string;
  /** File with the licences of everything that is part of the program. */
  readonly noticesFile: string;
  readonly callEngine: CallEngine;
  /** The window that dialogs belong to, if one is open. */
  readonly window: () => BrowserWindow | null;
  readonly settings: SettingsFile;
  /** Where runs are kept where the settings name no folder. */
  readonly usualRunsFolder: string;
  /** Files that the system asked to open, once. */
  readonly takeOpened: () => readonly string[];
  /** Called when `settings` hold something new. */
  readonly settingsChanged: () => void;
}

const exampleTextsSchema = v.array(v.object({ file: v.string(), name: v.string(), about: v.string(), licence: v.string() }));

/** Handlers for every desktop call of the contract. */
export function createDesktopHandlers(options: DesktopOptions): DesktopHandlers {
  const pick = async (dialogOptions: OpenDialogOptions): Promise<string[]> => {
    const window = options.window();
    const picked = window === null ? await dialog.showOpenDialog(dialogOptions) : await dialog.showOpenDialog(window, dialogOptions);
    return picked.filePaths;
  };
  const pickOne = async (dialogOptions: OpenDialogOptions): Promise<string | null> => (await pick(dialogOptions))[0] ?? null;

  return {
    'app.example': async () => {
      const texts = join(options.exampleFolder, 'texts');
      const index: unknown = JSON.parse(await readFile(join(texts, 'index.json'), 'utf8'));
      return {
        model: join(options.exampleFolder, 'stories260K'),
        texts: v.parse(exampleTextsSchema, index).map(({ file, ...facts }) => ({ path: join(texts, file), ...facts })),
      };
    },
    'app.about': async () => ({
      version: app.getVersion(),
      platform: `${process.platform} ${process.arch}, Electron ${process.versions.electron}`,
      licences: await readFile(options.noticesFile, 'utf8'),
    }),
    'app.takeOpened': () => Promise.resolve([...options.takeOpened()]),
    'dialogs.pickModel': () =>
      pickOne({
        title: 'Choose a model file',
        properties: ['openFile'],
        filters: [
          { name: 'Model files', extensions: ['gguf', 'safetensors', 'json'] },
          { name: 'All files', extensions: ['*'] },
        ],
      }),
    'dialogs.pickModelFolder': () => pickOne({ title: 'Choose a model folder', properties: ['openDirectory'] }),
    'dialogs.pickTexts': () =>
      pick({
        title: 'Choose texts',
        properties: ['openFile', 'multiSelections'],
        filters: [
          { name: 'Texts', extensions: ['txt', 'md', 'jsonl', 'ndjson', 'json', 'csv', 'tsv', 'tab', 'parquet'] },
          { name: 'All files', extensions: ['*'] },
        ],
      }),
    'dialogs.pickFolder': () => pickOne({ title: 'Choose a folder', properties: ['openDirectory', 'createDirectory'] }),
    'paths.suggestOut': async ({ name }) => {
      const chosen = options.settings.current.resultsFolder;
      return freePath(chosen !== null && (await exists(chosen)) ? chosen : await usualResultsFolder(), fileName(name));
    },
    'desktop.showInFolder': async ({ path }) => {
      await access(path);
      shell.showItemInFolder(path);
      return {};
    },
    ...createHelpHandlers({ ...options, usualResultsFolder }),
    'desktop.openReport': async ({ runId }) => {
      const answer = await options.callEngine('runs.result', { runId });
      if (!answer.ok) throw new NotFoundError(answer.error.message, { details: { runId } });
      const problem = await shell.openPath(answer.value.report);
      if (problem !== '') {
        throw new InternalError(`The report could not be opened: ${problem}`, {
          hint: `Open this file with a web browser: ${answer.value.report}`,
          details: { file: answer.value.report },
        });
      }
      return {};
    },
  };
}

/** The user's documents, or the home folder where there are none. */
async function usualResultsFolder(): Promise<string> {
  const documents = app.getPath('documents');
  return (await exists(documents)) ? documents : app.getPath('home');
}

/** A name that every file system takes: no separators, no reserved characters, no dots at its ends, not too long. */
function fileName(name: string): string {
  const printable = Array.from(name, (character) => ((character.codePointAt(0) ?? 0) < 32 || '\\/:*?"<>|'.includes(character) ? '-' : character)).join('');
  const trimmed = printable.replace(/^[. ]+|[. ]+$/g, '').slice(0, 100);
  return trimmed === '' ? 'model' : trimmed;
}

/** `folder/name`, or the first of `folder/name 2`, `folder/name 3` … that does not exist. */
async function freePath(folder: string, name: string): Promise<string> {
  for (let count = 1; ; count++) {
    const path = join(folder, count === 1 ? name : `${name} ${String(count)}`);
    if (!(await exists(path))) return path;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
