/** Files that the system asks to open: told from the program's other arguments, kept once, given out once. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { OpenedFiles } from '../../main/app/opened-files';
import { withTemporaryFolder } from '../support/temporary-folder';

it('Models among the arguments are kept with their full paths, and given out once', () =>
  withTemporaryFolder(async (folder) => {
    for (const name of ['a b.gguf', 'C.GGUF', 'notes.txt']) await writeFile(join(folder, name), '');
    const opened = new OpenedFiles();
    expect(opened.add(['--no-sandbox', 'a b.gguf', join(folder, 'C.GGUF'), 'a b.gguf', 'notes.txt', 'missing.gguf', '--x.gguf', '.'], folder)).toBe(true);
    expect(opened.add([], folder)).toBe(false);
    expect(opened.take()).toEqual([join(folder, 'a b.gguf'), join(folder, 'C.GGUF')]);
    expect(opened.take()).toEqual([]);
  }));
