/** What dropped paths are, told from their names alone: models, texts, and how people call them. */

const TEXT_ENDINGS = ['.txt', '.md', '.jsonl', '.ndjson', '.json', '.csv', '.tsv', '.tab', '.parquet'];
/** Files that are only in model folders: dropping one means the folder. */
const MODEL_FILES =
  /^((generation_|genai_|tokenizer_|adapter_)?config\.json|tokenizer\.json|special_tokens_map\.json|.*\.index\.json|.*\.safetensors|pytorch_model.*\.bin|.*\.onnx([._]data)?)$/;
/** Files that lie in other folders too, and belong to a model when files of its folder are dropped with them. */
const COMPANIONS =
  /^(readme\.md|.*licen[cs]e.*|notice.*|.*use[-_]policy.*|vocab\.(json|txt)|merges\.txt|added_tokens\.json|chat_template\.(jinja|json)|preprocessor_config\.json|(tokenizer|spiece)\.model.*|.*\.py|\.git.*)$/;
/** What llama.cpp puts at the end of the names of a model's parts. */
const GGUF_NAME = /(-\d{5}-of-\d{5})?\.gguf$/;

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

/** Whether a path looks like a text source rather than a model. */
function isTextPath(path: string): boolean {
  const name = nameOf(path).toLowerCase();
  return !MODEL_FILES.test(name) && TEXT_ENDINGS.some((ending) => name.endsWith(ending));
}

/** What was made of several dropped things. */
export interface SortedDrop {
  /** One path for each model, in the order of the drop. */
  readonly models: readonly string[];
  readonly texts: readonly string[];
}

/** Sorts a drop into models and texts. Files of one folder, parts of one GGUF file, and a folder with files of it are one model. */
export function sortDrop(paths: readonly string[]): SortedDrop {
  const isFile = (path: string): boolean => MODEL_FILES.test(nameOf(path).toLowerCase());
  const folders = new Set(paths.filter(isFile).map(folderOf));
  const rest = paths.filter((path) => !COMPANIONS.test(nameOf(path).toLowerCase()) || !folders.has(folderOf(path)));
  const models = new Map<string, string>();
  for (const path of rest.filter((given) => !isTextPath(given))) {
    const place = isFile(path) ? folderOf(path) : trimmed(path).replace(GGUF_NAME, '.gguf');
    // A folder stands for the files in it, whichever comes first.
    if (!models.has(place) || trimmed(path) === place) models.set(place, path);
  }
  return { models: [...models.values()], texts: rest.filter(isTextPath) };
}

function trimmed(path: string): string {
  return path.replace(/(?<=.)[\\/]+$/, '');
}

/** `name`, or `name (2)` and so on if it is taken. */
export function uniqueName(name: string, taken: readonly string[]): string {
  if (!taken.includes(name)) return name;
  let number = 2;
  while (taken.includes(`${name} (${number})`)) number += 1;
  return `${name} (${number})`;
}
