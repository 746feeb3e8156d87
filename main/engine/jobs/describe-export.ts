/** What lies beside exported weights for people: the model card, and the licence files of the original. */
import { existsSync } from 'node:fs';
import { copyFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Recipe } from '../../../preload/contract/recipe';
import type { Exported } from '../../../preload/contract/run';
import { renderModelCard, type ModelCardInput } from '../export/model-card';
import type { Checkpoint } from '../model/checkpoint';
import { isLegalFile, readCard } from '../model/side-files';
import { PROGRAM_VERSION } from './about';
import { hubIdOf, modelNameOf } from './model-name';

export interface ExportSubject {
  readonly name: string;
  readonly source: Checkpoint;
  readonly recipe: Recipe;
  readonly figures: ModelCardInput['result'];
}

/** Writes the card and copies licence files next to an export; returns it with these files listed. One card serves all files of a folder. */
export async function describeExport(exported: Exported, { name, source, recipe, figures }: ExportSubject): Promise<Exported> {
  const isFile = exported.target.format === 'gguf';
  const folder = isFile ? dirname(exported.path) : exported.path;
  const files = new Map(exported.files.map((file) => [file.path, file.bytes]));
  const licences = await copyLegalFiles(source, folder);
  for (const { path, bytes } of licences) files.set(path, bytes);
  const cardPath = join(folder, 'README.md');
  // Beside a single file there may be something of the user's own; inside our own folder the original's card is replaced.
  if (!isFile || !existsSync(cardPath)) {
    const card = renderModelCard({
      name, baseModel: hubIdOf(recipe.model, source.metadata) ?? modelNameOf(recipe.model), licence: source.licence, licenceFiles: licences.map(({ path }) => basename(path)),
      cardLicence: (await readCard(source.sideFiles)).licence,
      recipe, result: figures, version: PROGRAM_VERSION,
      format: exported.target.format, needsCode: [...files.keys()].some((file) => file.endsWith('.py')), notes: exported.notes,
    });
    await writeFile(cardPath, card);
    files.set(cardPath, Buffer.byteLength(card));
  }
  return { ...exported, files: [...files].map(([path, bytes]) => ({ path, bytes })) };
}

/** Copies what states the licence of a model into a folder, but over no file that is there, and answers these files. */
export async function copyLegalFiles(source: Checkpoint, folder: string): Promise<Exported['files']> {
  const legal = [...source.sideFiles].filter(([file]) => isLegalFile(file));
  return Promise.all(
    legal.map(async ([file, from]) => {
      const path = join(folder, file);
      if (!existsSync(path)) await copyFile(from, path);
      return { path, bytes: (await stat(path)).size };
    }),
  );
}
