/** The settings file: read once with its schema checked, replaced in one step. A damaged file never keeps the program from starting. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { type Settings, settingsSchema } from '../../preload/contract/settings';
import { toAppError } from '../engine/support/errors';

/** More bytes than these are no settings of ours. */
const MOST_BYTES = 100_000;

/** The settings in use. */
export class SettingsFile {
  private readonly path: string;
  /** Settings as they hold now. */
  current: Settings;
  /** Why the file could not be used, in a sentence for people; null if it could, or if there was none. */
  problem: string | null;

  private constructor(path: string, current: Settings, problem: string | null) {
    this.path = path;
    this.current = current;
    this.problem = problem;
  }

  /** Reads the file at a path that need not exist. Throws nothing: what cannot be used gives the usual settings and a `problem`. */
  static async open(path: string): Promise<SettingsFile> {
    const usual = v.parse(settingsSchema, {});
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      return new SettingsFile(path, usual, isAbsent ? null : explain(path, toAppError(error, path).message));
    }
    try {
      if (text.length > MOST_BYTES) throw new Error('it is too large');
      const value: unknown = JSON.parse(text);
      // A list would pass for an object without entries.
      if (Array.isArray(value)) throw new Error('it is a list');
      const parsed = v.safeParse(settingsSchema, value);
      if (parsed.success) return new SettingsFile(path, parsed.output, null);
      throw new Error(parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`).join('; '));
    } catch (error) {
      return new SettingsFile(path, usual, explain(path, error instanceof Error ? error.message : String(error)));
    }
  }

  /** Takes new settings and writes them: readers see the old or the new file, never half of one. Throws AppError where that fails. */
  async save(settings: Settings): Promise<void> {
    const temporary = `${this.path}.${randomBytes(4).toString('hex')}.tmp`;
    try {
      await mkdir(dirname(this.path), { recursive: true });
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(`${JSON.stringify(settings, null, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      // The first error is the one to tell.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw toAppError(error, this.path);
    }
    this.current = settings;
    this.problem = null;
  }
}

function explain(path: string, why: string): string {
  return `The settings in ${path} could not be used (${why}), so the usual ones hold. They are written anew when you change one.`;
}
