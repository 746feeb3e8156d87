/** The weight files of a Hugging Face folder: one file, or shards with their index; every fault of any is reported. */
import { lstat, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, parseJsonObject, type JsonObject } from '../formats/json';
import { openSafetensors, type SafetensorsFile } from '../formats/safetensors/reader';
import type { StoredTensor } from '../formats/stored-tensor';
import { FormatError, NotFoundError, toAppError } from '../support/errors';
import { adapterError, isPickleName, originalFormError, pickleError, resolveInside } from './locate';
import { listNames, type Problems } from './problems';

const SINGLE_NAME = 'model.safetensors';
const INDEX_NAME = 'model.safetensors.index.json';
const SHARD_NAME = /^(.*-)(\d+)-of-(\d+)\.safetensors$/;
/** What may lie beside a model's weights without belonging to them: the maker's own form, and adapters. */
const STRAY_NAMES = /^(consolidated[.-]|adapter_)/;
/** An index of the largest known models has a few megabytes. */
const MAX_JSON_BYTES = 100_000_000;

/** The opened files and their tensors by name. `isComplete` is false if a file could not be opened. */
export interface WeightFiles {
  readonly files: readonly SafetensorsFile[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly isComplete: boolean;
}

/** Opens all weight files of `folder` (a real path), headers only. */
export async function openWeightFiles(folder: string, problems: Problems): Promise<WeightFiles> {
  const files: SafetensorsFile[] = [];
  const tensors = new Map<string, StoredTensor>();
  const failed: string[] = [];
  const missing: string[] = [];
  const plan = await planFiles(folder, problems);
  try {
    for (const name of plan.names) {
      try {
        const file = await openSafetensors(await resolveInside(folder, name));
        files.push(file);
        addTensors(name, file, tensors, problems);
      } catch (error) {
        failed.push(name);
        const known = toAppError(error);
        const isAbsent = known instanceof NotFoundError && (await isNothingAt(join(folder, name)));
        if (isAbsent) missing.push(name);
        else problems.caught(error);
      }
    }
    if (missing.length > 0) {
      problems.error(
        'missing-shard',
        `${missing.length} of ${plan.names.length} weight files are not in the folder: ${missing.join(', ')}.`,
        'Download or copy the missing files into the folder.',
      );
    }
    const isComplete = failed.length === 0 && plan.names.length > 0;
    if (isComplete) checkIndex(plan.index, tensors, problems);
    return { files, tensors, isComplete };
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}

/** A JSON object file of the folder; null if there is none. Faults are recorded. */
export async function readFolderJson(folder: string, name: string, problems: Problems): Promise<JsonObject | null> {
  try {
    const path = await resolveInside(folder, name);
    const { size } = await stat(path);
    if (size > MAX_JSON_BYTES) {
      throw new FormatError(`${name} has ${size} bytes; at most ${MAX_JSON_BYTES} are read.`, { details: { file: path } });
    }
    return parseJsonObject(await readFile(path), name);
  } catch (error) {
    const known = toAppError(error);
    const isAbsent = known instanceof NotFoundError && (await isNothingAt(join(folder, name)));
    if (!isAbsent) problems.caught(error);
    return null;
  }
}

interface FilePlan {
  readonly names: readonly string[];
  readonly index: ReadonlyMap<string, string> | null;
}

/** Which files to open: as the index says, else the one file, else shards recognised by their numbered names. */
async function planFiles(folder: string, problems: Problems): Promise<FilePlan> {
  const entries = await readdir(folder);
  if (entries.includes(INDEX_NAME)) {
    const index = readIndex(await readFolderJson(folder, INDEX_NAME, problems), problems);
    return { names: index === null ? [] : [...new Set(index.values())].sort(), index };
  }
  if (entries.includes(SINGLE_NAME)) return { names: [SINGLE_NAME], index: null };
  const candidates = entries.filter((name) => name.endsWith('.safetensors') && !STRAY_NAMES.test(name)).sort();
  const shards = completeShardNames(candidates);
  if (shards !== null) return { names: shards, index: null };
  if (candidates.length === 1) return { names: candidates, index: null };
  const pickles = entries.filter(isPickleName).sort();
  if (candidates.length > 1) {
    problems.error(
      'no-weights',
      `The folder holds several weight files and no index that tells how they belong together: ${listNames(candidates)}.`,
      `Copy ${INDEX_NAME} into the folder too.`,
    );
  } else if (entries.includes('adapter_config.json')) {
    const { message, hint } = await adapterError(folder);
    problems.error('unsupported-adapter', message, hint);
  } else if (entries.some((name) => name.startsWith('consolidated'))) {
    const { message, hint } = originalFormError(folder);
    problems.error('unsupported-form', message, hint);
  } else if (pickles.length > 0) {
    const { message, hint } = pickleError(listNames(pickles), folder);
    problems.error('unsupported-pickle', message, hint);
  } else {
    problems.error('no-weights', 'The folder holds a config.json but no .safetensors file with weights.');
  }
  return { names: [], index: null };
}

/** All names of a numbered set of which at least one is there; null if the files form no single set. */
function completeShardNames(candidates: readonly string[]): readonly string[] | null {
  const sets = new Set<string>();
  for (const name of candidates) {
    const match = SHARD_NAME.exec(name);
    if (match !== null) sets.add(`${match[1] ?? ''}|${match[3] ?? ''}`);
  }
  const [only] = sets;
  if (only === undefined || sets.size !== 1) return null;
  const [prefix = '', total = '0'] = only.split('|');
  const count = Number(total);
  if (count < 1 || count > 10_000) return null;
  return Array.from(
    { length: count },
    (_, index) => `${prefix}${String(index + 1).padStart(total.length, '0')}-of-${total}.safetensors`,
  );
}

function readIndex(index: JsonObject | null, problems: Problems): ReadonlyMap<string, string> | null {
  if (index === null) return null;
  const weightMap = index['weight_map'];
  if (!isJsonObject(weightMap) || !Object.values(weightMap).every((name) => typeof name === 'string')) {
    problems.error('format', `${INDEX_NAME} has no weight_map from tensor names to file names.`);
    return null;
  }
  if (Object.keys(weightMap).length === 0) {
    problems.error('no-weights', `${INDEX_NAME} names no weights at all.`, 'The file is damaged: download it again.');
    return null;
  }
  return new Map(Object.entries(weightMap).map(([tensor, file]) => [tensor, String(file)]));
}

function addTensors(
  name: string,
  file: SafetensorsFile,
  tensors: Map<string, StoredTensor>,
  problems: Problems,
): void {
  const repeated = [...file.tensors.keys()].filter((tensor) => tensors.has(tensor));
  if (repeated.length > 0) {
    problems.error('format', `${name} holds tensors that another file of the model holds too: ${listNames(repeated)}.`);
  }
  for (const [tensor, handle] of file.tensors) tensors.set(tensor, handle);
}

/** An index from another split promises tensors that the files do not hold. */
function checkIndex(
  index: ReadonlyMap<string, string> | null,
  tensors: ReadonlyMap<string, StoredTensor>,
  problems: Problems,
): void {
  if (index === null) return;
  const absent = [...index.keys()].filter((tensor) => !tensors.has(tensor));
  if (absent.length === 0) return;
  problems.error(
    'index-mismatch',
    `${INDEX_NAME} promises ${absent.length} tensors that none of its files holds: ${listNames(absent)}.`,
    'The index belongs to another copy of the model: download index and weight files together.',
  );
}

async function isNothingAt(path: string): Promise<boolean> {
  return lstat(path).then(
    () => false,
    () => true,
  );
}
