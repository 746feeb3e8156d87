/** What dropped paths are, told from their names alone: models, texts, and how people call them. */

const TEXT_ENDINGS = ['.txt', '.md', '.jsonl', '.ndjson', '.json', '.csv', '.tsv', '.parquet'];
/** JSON files that belong to a model folder: dropping one means the folder. */
const MODEL_JSON = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'special_tokens_map.json'];

/** The last part of a path, whichever way its slashes lean. */
export function nameOf(path: string): string {
  const parts = path.split(/[\\/]/).filter((part) => part !== '');
  return parts.at(-1) ?? path;
}

/** Everything before the last part of a path. */
function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'), 0));
}

/** Puts a name under a folder, with the separator that the folder already uses. */
export function joinPath(folder: string, name: string): string {
  const separator = folder.includes('\\') ? '\\' : '/';
  return folder.endsWith(separator) ? folder + name : folder + separator + name;
}

/** Whether a name looks like a text source rather than a model. */
function isTextPath(path: string): boolean {
  const name = nameOf(path).toLowerCase();
  if (MODEL_JSON.includes(name) || name.endsWith('.index.json')) return false;
  return TEXT_ENDINGS.some((ending) => name.endsWith(ending));
}

/** What was made of several dropped things. */
export interface SortedDrop {
  readonly model: string | null;
  readonly texts: readonly string[];
  /** Further models, which are left out because one is worked on at a time. */
  readonly leftOut: readonly string[];
}

/** Sorts a drop into one model and texts. Several files of one folder (shards) are one model. */
export function sortDrop(paths: readonly string[]): SortedDrop {
  const texts = paths.filter(isTextPath);
  const models = paths.filter((path) => !isTextPath(path));
  const ranked = [...models].sort((a, b) => modelRank(a) - modelRank(b));
  const model = ranked[0] ?? null;
  if (model === null) return { model, texts, leftOut: [] };
  const isPartOfSame = (path: string): boolean => isInsideModelFolder(path) && isInsideModelFolder(model) && folderOf(path) === folderOf(model);
  return { model, texts, leftOut: models.filter((path) => path !== model && !isPartOfSame(path)) };
}

/** Folders and GGUF files stand for a whole model; files of a model folder come after them. */
function modelRank(path: string): number {
  return isInsideModelFolder(path) ? 1 : 0;
}

function isInsideModelFolder(path: string): boolean {
  const name = nameOf(path).toLowerCase();
  return name.endsWith('.safetensors') || MODEL_JSON.includes(name) || name.endsWith('.index.json');
}

/** `name`, or `name (2)` and so on if it is taken. */
export function uniqueName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  let number = 2;
  while (taken.includes(`${name} (${number})`)) number += 1;
  return `${name} (${number})`;
}
