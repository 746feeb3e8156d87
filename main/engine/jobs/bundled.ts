/** The example model and starter texts that come with the program, wherever the program is installed. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { NotFoundError } from '../support/errors';
import { readJsonFile } from './json-files';

const indexSchema = v.array(v.object({ file: v.string(), name: v.string(), about: v.string(), licence: v.string() }));

export interface StarterText {
  /** Absolute path. */
  readonly path: string;
  readonly name: string;
  readonly about: string;
  readonly licence: string;
}

/**
 * The folder `resources/example`: beside an installed program, or above this file in a checkout, whether built or not.
 * @throws NotFoundError when the program was installed without it.
 */
function exampleFolder(): string {
  const installed = (process as { readonly resourcesPath?: string }).resourcesPath;
  const candidates = installed === undefined ? [] : [join(installed, 'resources', 'example'), join(installed, 'example')];
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    candidates.push(join(folder, 'resources', 'example'));
    if (folder === dirname(folder)) break;
  }
  const found = candidates.find((candidate) => existsSync(join(candidate, 'stories260K', 'config.json')));
  if (found === undefined) {
    throw new NotFoundError('The example that comes with this program is missing.', { hint: 'Install the program again.' });
  }
  return found;
}

/** The example model's folder. */
export function exampleModel(): string {
  return join(exampleFolder(), 'stories260K');
}

/** The starter texts, in the order in which they are offered. */
export async function starterTexts(): Promise<StarterText[]> {
  const folder = join(exampleFolder(), 'texts');
  const entries = await readJsonFile(join(folder, 'index.json'), indexSchema);
  return entries.map(({ file, name, about, licence }) => ({ path: join(folder, file), name, about, licence }));
}
