/**
 * Files that the system asks the program to open: by a double click, or on its own command line. They wait here until
 * the page takes them; what they are is found out there, as for dropped ones.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Endings of files that the package tells the system to open with this program (electron-builder.yml). */
const ENDINGS = ['.gguf'];
/** More than anybody opens at once. */
const MOST = 100;

export class OpenedFiles {
  private waiting: readonly string[] = [];

  /** Keeps the files among a program's arguments, relative ones as seen from `folder`; true if there are any. */
  add(argv: readonly string[], folder: string): boolean {
    const files = argv
      .filter((argument) => !argument.startsWith('-') && ENDINGS.some((ending) => argument.toLowerCase().endsWith(ending)))
      .map((argument) => resolve(folder, argument))
      .filter((path) => existsSync(path));
    this.waiting = [...new Set([...this.waiting, ...files])].slice(0, MOST);
    return files.length > 0;
  }

  /** Gives out what waits, once. */
  take(): readonly string[] {
    const taken = this.waiting;
    this.waiting = [];
    return taken;
  }
}
