/**
 * Finds the files of a model from what a person dropped: a folder, a file of it, or a GGUF file. Names inside the
 * model's files cannot lead out of its folder; links are followed only inside it, or inside the Hugging Face cache
 * entry that it belongs to.
 */
import { lstat, readFile, readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { partNames } from '../formats/gguf/split';
import { FormatError, NotFoundError, UnsupportedError, toAppError } from '../support/errors';

/** Where a model is. */
export type Location =
  | { readonly kind: 'gguf'; readonly path: string; readonly name: string }
  | { readonly kind: 'huggingface'; readonly path: string; readonly name: string };

/** Ends of names of files that hold pickled Python objects: reading them can run code. */
const PICKLE_NAMES = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;
/** Start of the name of a model's folder in the Hugging Face cache: models--MAKER--MODEL. */
const CACHE_PREFIX = 'models--';
/** What Meta and Mistral publish beside the form of Hugging Face. */
const ORIGINAL_NAMES = /^(params\.json|consolidated[.-].*)$/;
const GGUF_NAMES = /\.gguf$/i;
/** A model for ONNX Runtime and the weights beside it, and the settings of onnxruntime-genai. */
const ONNX_NAMES = /(\.onnx([._]data)?|^genai_config\.json)$/i;
const WEIGHT_NAMES = /\.(safetensors|gguf)$/i;
const FOLDER_FILE_NAMES = /\.(json|safetensors|jinja|md)$/i;

/** Resolves a dropped path. Throws NotFoundError if nothing is there, UnsupportedError or FormatError if it is no model. */
export async function locateModel(path: string): Promise<Location> {
  const given = resolve(path);
  const status = await stat(given).catch((error: unknown) => {
    throw toAppError(error);
  });
  if (status.isDirectory()) return locateFolder(given);
  if (!status.isFile()) throw new FormatError(`${given} is neither a file nor a folder.`, { details: { file: given } });
  const name = basename(given);
  if (GGUF_NAMES.test(name)) return locateGguf(dirname(given), name);
  if (PICKLE_NAMES.test(name)) throw pickleError(name, given);
  if (ONNX_NAMES.test(name)) throw onnxError(dirname(given));
  if (FOLDER_FILE_NAMES.test(name)) return locateFolder(dirname(given));
  throw new FormatError(`${name} is not a model file that this program knows.`, {
    hint: 'Choose a model folder (with config.json and .safetensors files) or a .gguf file.',
    details: { file: given },
  });
}

/** The folder of an ONNX model, given that folder or a file of it; null for everything else, also where nothing is. */
export async function onnxFolderAt(path: string): Promise<string | null> {
  const given = resolve(path);
  const isFolder = await stat(given).then((status) => status.isDirectory(), () => null);
  if (isFolder === null) return null;
  const folder = isFolder ? given : dirname(given);
  if (!isFolder && ONNX_NAMES.test(basename(given))) return folder;
  if (!isFolder && !FOLDER_FILE_NAMES.test(given)) return null;
  return isOnnxFolder(await readdir(folder).catch(() => [])) ? folder : null;
}

/** Many folders on the Hub have an ONNX model beside the weights that it was made from: those are opened for the weights. */
function isOnnxFolder(names: readonly string[]): boolean {
  return names.some((name) => ONNX_NAMES.test(name)) && !names.some((name) => WEIGHT_NAMES.test(name) || PICKLE_NAMES.test(name));
}

async function locateFolder(folder: string): Promise<Location> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw toAppError(error);
  });
  const name = folderName(folder);
  if (isOnnxFolder(names)) throw onnxError(folder);
  if (names.includes('config.json')) return { kind: 'huggingface', path: await realpath(folder), name };
  const revision = await cachedRevision(folder, names);
  if (revision !== null) return locateFolder(revision);
  if (names.includes('adapter_config.json')) throw await adapterError(folder);
  const ggufs = names.filter((entry) => GGUF_NAMES.test(entry)).sort();
  const [only] = ggufs;
  if (only !== undefined && (ggufs.length === 1 || ggufs.every((entry) => partNames(only)?.includes(entry) === true))) {
    return locateGguf(folder, only);
  }
  if (ggufs.length > 1) {
    throw new FormatError(`The folder ${name} holds ${ggufs.length} GGUF files: ${ggufs.slice(0, 8).join(', ')}.`, {
      hint: 'Choose one of the files instead of the folder.',
      details: { file: folder },
    });
  }
  if (names.some((entry) => ORIGINAL_NAMES.test(entry))) {
    throw originalFormError(folder);
  }
  throw new FormatError(`The folder ${name} is not a model: it holds neither a config.json nor a .gguf file.`, {
    hint: 'Choose the folder in which config.json and the .safetensors files are.',
    details: { file: folder },
  });
}

/** Links are followed; of a part only its folder's, since the other parts are found by its name. */
async function locateGguf(folder: string, name: string): Promise<Location> {
  const path = partNames(name) === null ? await realpath(join(folder, name)) : join(await realpath(folder), name);
  return { kind: 'gguf', path, name };
}

/** The revision of a cache entry (models--MAKER--MODEL) that its ref `main` names, else its only one; null for other folders. */
async function cachedRevision(folder: string, names: readonly string[]): Promise<string | null> {
  if (!basename(folder).startsWith(CACHE_PREFIX) || !names.includes('snapshots')) return null;
  const revisions = await readdir(join(folder, 'snapshots'));
  const main = await readFile(join(folder, 'refs', 'main'), 'utf8').then((text) => text.trim(), () => null);
  const chosen = revisions.find((revision) => revision === main) ?? (revisions.length === 1 ? revisions[0] : undefined);
  if (chosen !== undefined) return join(folder, 'snapshots', chosen);
  throw new FormatError(`The cache folder ${folderName(join(folder, 'snapshots', 'x'))} holds ${revisions.length} versions of its model, and does not say which one is meant.`, {
    hint: 'Choose one of the folders in its folder "snapshots".',
    details: { file: folder },
  });
}

/** The refusal of an adapter, naming the model that it belongs to where it says so. */
export async function adapterError(folder: string): Promise<UnsupportedError> {
  const text = await readFile(join(folder, 'adapter_config.json')).catch(() => null);
  const base = text === null ? null : /"base_model_name_or_path"\s*:\s*"([^"\n]{1,200})"/.exec(text.toString('utf8'))?.[1];
  return adapterRefusal(`The folder ${folderName(folder)}`, base, folder);
}

/** The same of an adapter at `path` that people call `name`; `base` is the model that it belongs to, if that is known. */
export function adapterRefusal(name: string, base: string | null | undefined, path: string): UnsupportedError {
  return new UnsupportedError(`${name} holds an adapter (LoRA), a small addition to a model, and not the model itself.`, {
    hint: `Get the whole model${base ? ` ${base}` : ''}; to keep what the adapter adds, merge it first (peft: merge_and_unload, then save_pretrained).`,
    details: { feature: 'adapter', found: path },
  });
}

/** The refusal of what Meta and Mistral publish beside the form of Hugging Face. */
export function originalFormError(folder: string): UnsupportedError {
  return new UnsupportedError(`The folder ${folderName(folder)} holds a model in its maker's own form (params.json, consolidated weights), which is not read.`, {
    hint: 'Get the same model in the form of Hugging Face: a folder with config.json and model.safetensors.',
    details: { feature: 'original form', found: folder },
  });
}

/** The refusal of a model that is ready to be run and no longer to be changed. */
function onnxError(folder: string): UnsupportedError {
  return new UnsupportedError(`The folder ${folderName(folder)} holds an ONNX model: a finished form for running, which cannot be made smaller any more.`, {
    hint: 'Open the model that it was made from instead: a folder with config.json and .safetensors files, or a .gguf file.',
    details: { feature: 'ONNX', found: folder },
  });
}

/** The refusal of pickled weights. */
export function pickleError(names: string, path: string): UnsupportedError {
  return new UnsupportedError(`The weights in ${names} are pickled Python objects, which can run code when they are read.`, {
    hint: 'Get the model in .safetensors form, or convert it with transformers: save_pretrained(..., safe_serialization=True).',
    details: { feature: 'pickle', found: path },
  });
}

/** Whether a file name says that its content is pickled. */
export function isPickleName(name: string): boolean {
  return PICKLE_NAMES.test(name);
}

/**
 * The real path of a file that a model's folder names. Throws FormatError if the name or a link leads out of the
 * folder, NotFoundError (naming the link) if it leads nowhere.
 */
export async function resolveInside(folder: string, name: string): Promise<string> {
  const path = resolve(folder, name);
  if (name.includes('\0') || isAbsolute(name) || !isInside(folder, path)) {
    throw new FormatError(`The name ${JSON.stringify(name)} leads out of the model's folder.`, {
      hint: 'The model was put together wrongly or with bad intent; do not use it.',
      details: { file: folder },
    });
  }
  const isLink = await lstat(path).then(
    (status) => status.isSymbolicLink(),
    () => false,
  );
  const real = await realpath(path).catch((error: unknown) => {
    if (!isLink) throw toAppError(error);
    throw new NotFoundError(`${name} is a link whose target is not there.`, {
      hint: 'Download the model again: the file behind the link was removed.',
      details: { file: path },
    });
  });
  if (!isInside(containerOf(folder), real)) {
    throw new FormatError(`${name} is a link that leads out of the model's folder.`, {
      hint: 'Copy the file itself into the folder.',
      details: { file: path },
    });
  }
  return real;
}

/** In a Hugging Face cache, `snapshots/REVISION` holds links into `blobs` beside it; both belong to one entry. */
function containerOf(folder: string): string {
  return cacheEntryOf(folder) ?? folder;
}

/** What people call a folder: in a cache the model's name instead of the revision, else its own name. */
function folderName(folder: string): string {
  const entry = cacheEntryOf(folder);
  return entry === null ? basename(folder) : basename(entry).slice(CACHE_PREFIX.length).replace('--', '/');
}

function cacheEntryOf(folder: string): string | null {
  const snapshots = dirname(folder);
  const entry = dirname(snapshots);
  return basename(snapshots) === 'snapshots' && basename(entry).startsWith(CACHE_PREFIX) ? entry : null;
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
