/**
 * A model that is split over several GGUF files, opened as one from any of its parts. The first part holds the metadata,
 * each part some of the tensors; names end in -00001-of-00003.gguf (llama.cpp, llama_split_path).
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FormatError, NotFoundError } from '../../support/errors';
import type { StoredTensor } from '../stored-tensor';
import { openGguf, type GgufFile } from './reader';

const PART_NAME = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/i;
const MAX_PARTS = 10_000;

/** The names of all parts of the set that a file name belongs to, in order; null for the name of no part. */
export function partNames(name: string): readonly string[] | null {
  const [, prefix = '', , total = '0', end = ''] = PART_NAME.exec(name) ?? [];
  const count = Number(total);
  if (count < 1 || count > MAX_PARTS) return null;
  return Array.from({ length: count }, (_, index) => `${prefix}-${String(index + 1).padStart(5, '0')}-of-${total}${end}`);
}

/**
 * Opens a file, and with any part of a split model all others, which lie beside it. Throws FormatError, UnsupportedError,
 * NotFoundError with the names of all parts that are missing.
 */
export async function openGgufModel(path: string): Promise<GgufFile> {
  const given = await openGguf(path);
  if (given.part === null) return given;
  await given.close();
  const name = basename(path);
  const { number, count } = given.part;
  const place = `${name} is part ${number + 1} of ${count} of a split model`;
  const names = partNames(name);
  if (names === null || names.length !== count || names[number] !== name) {
    throw new FormatError(`${place}, but its name does not say so, and the other parts cannot be found.`, {
      hint: `Give the parts their names back: they end in -${String(number + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf for this one, and so on.`,
      details: { file: path, feature: 'split GGUF' },
    });
  }
  await requireAll(dirname(path), names, place);
  const parts: GgufFile[] = [];
  try {
    for (const partName of names) parts.push(await openGguf(join(dirname(path), partName)));
    return joinParts(path, parts);
  } catch (error) {
    await Promise.all(parts.map((part) => part.close()));
    throw error;
  }
}

async function requireAll(folder: string, names: readonly string[], place: string): Promise<void> {
  const missing: string[] = [];
  for (const name of names) {
    const isThere = await stat(join(folder, name)).then(() => true, () => false);
    if (!isThere) missing.push(name);
  }
  if (missing.length === 0) return;
  throw new NotFoundError(`${place}, and ${missing.length} of its parts are not in the same folder: ${missing.join(', ')}.`, {
    hint: 'Download or copy the missing files into the folder.',
    details: { file: folder, missing },
  });
}

function joinParts(path: string, parts: readonly GgufFile[]): GgufFile {
  const tensors = new Map<string, StoredTensor>();
  for (const [index, part] of parts.entries()) {
    const name = basename(part.path);
    if (part.part?.number !== index || part.part.count !== parts.length) {
      throw new FormatError(`${name} is not part ${index + 1} of ${parts.length}, as its name says: it belongs to another set.`, {
        hint: 'Download all parts of the model together.',
        details: { file: part.path },
      });
    }
    for (const [tensor, handle] of part.tensors) {
      if (tensors.has(tensor)) throw new FormatError(`${name} holds tensor ${JSON.stringify(tensor)}, which another part holds too.`, { details: { file: part.path } });
      tensors.set(tensor, handle);
    }
  }
  const [first] = parts;
  const stated = first?.metadata.get('split.tensors.count');
  if (typeof stated === 'number' && stated !== tensors.size) {
    throw new FormatError(`The parts of ${basename(path)} hold ${tensors.size} tensors; the first one promises ${stated}.`, {
      hint: 'The parts belong to different copies of the model: download all of them together.',
      details: { file: path, expected: stated, found: tensors.size },
    });
  }
  const isOfModel = ([key]: readonly [string, unknown]): boolean => !key.startsWith('split.');
  return {
    path,
    paths: parts.map((part) => part.path),
    part: null,
    version: first?.version ?? 0,
    entries: new Map([...(first?.entries ?? [])].filter(isOfModel)),
    metadata: new Map([...(first?.metadata ?? [])].filter(isOfModel)),
    tensors,
    bytesRead: () => parts.reduce((sum, part) => sum + part.bytesRead(), 0),
    close: async () => {
      await Promise.all(parts.map((part) => part.close()));
    },
  };
}
