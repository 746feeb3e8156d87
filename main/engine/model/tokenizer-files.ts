/** Reads the files of a folder that make up its tokenizer, wherever its parts are kept, under limits. */
import { readFile, stat } from 'node:fs/promises';
import { isJsonObject, parseJsonObject, type JsonObject } from '../formats/json';
import { FormatError, toAppError } from '../support/errors';
import { MAX_SENTENCEPIECE_BYTES } from '../tokenizer/sentencepiece-model';

/** Gemma's tokenizer.json, the largest known, has 34 MB. */
const MAX_JSON_BYTES = 256 * 1024 * 1024;

/** A tokenizer as it lies in a folder: `config` is tokenizer_config.json with what other files add to it. */
export type TokenizerFiles =
  | { readonly kind: 'json'; readonly json: JsonObject; readonly config: JsonObject }
  | { readonly kind: 'sentencepiece'; readonly bytes: Uint8Array; readonly config: JsonObject };

/**
 * Null if a folder has neither tokenizer.json nor a SentencePiece file. `sideFiles`: name to path. Raises FormatError
 * for files that are too large or no JSON.
 */
export async function readTokenizerFiles(sideFiles: ReadonlyMap<string, string>): Promise<TokenizerFiles | null> {
  const json = await readJson(sideFiles, 'tokenizer.json');
  if (json !== null) return { kind: 'json', json, config: await readTokenizerConfig(sideFiles) };
  const name = ['tokenizer.model', 'spiece.model'].find((known) => sideFiles.has(known));
  const bytes = name === undefined ? null : await readBytes(sideFiles, name, MAX_SENTENCEPIECE_BYTES);
  if (bytes === null) return null;
  return { kind: 'sentencepiece', bytes, config: await withAddedTokens(sideFiles, await readTokenizerConfig(sideFiles)) };
}

/** What older folders and other kinds of tokenizers consist of; such files are carried along and not read. */
const OTHER_FORMS = /^(vocab\.(json|txt)|merges\.txt|tekken\.json)$/;

/** What helps where a folder has no tokenizer that is read. */
export const TOKENIZER_HINT =
  'Download tokenizer.json from the page of the model and put it into that folder. If there is none, transformers makes it: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER).';

/** Names of files that hold a tokenizer in a form that is not read; empty where there are none. */
export function otherTokenizerFiles(sideFiles: ReadonlyMap<string, string>): readonly string[] {
  return [...sideFiles.keys()].filter((name) => OTHER_FORMS.test(name));
}

/**
 * The content of tokenizer_config.json. A chat template in a file of its own outranks the one inside, as in
 * transformers: chat_template.jinja, else chat_template.json. Named templates beside the default one are kept.
 */
export async function readTokenizerConfig(sideFiles: ReadonlyMap<string, string>): Promise<JsonObject> {
  const config = (await readJson(sideFiles, 'tokenizer_config.json')) ?? {};
  const jinja = await readBytes(sideFiles, 'chat_template.jinja', MAX_JSON_BYTES);
  const own = jinja === null ? (await readJson(sideFiles, 'chat_template.json'))?.['chat_template'] : new TextDecoder().decode(jinja);
  if (own === undefined || own === null) return config;
  const inside: unknown = config['chat_template'];
  if (typeof own !== 'string' || !Array.isArray(inside)) return { ...config, chat_template: own };
  const others = inside.filter((entry) => isJsonObject(entry) && entry['name'] !== 'default');
  return { ...config, chat_template: [{ name: 'default', template: own }, ...(others as readonly unknown[])] };
}

/** Older folders list tokens beyond those of a SentencePiece file in added_tokens.json: text to id. */
async function withAddedTokens(sideFiles: ReadonlyMap<string, string>, config: JsonObject): Promise<JsonObject> {
  const added = await readJson(sideFiles, 'added_tokens.json');
  if (added === null) return config;
  const known = isJsonObject(config['added_tokens_decoder']) ? config['added_tokens_decoder'] : {};
  const listed = Object.entries(added).map(([content, id]): [string, unknown] => [String(id), { content }]);
  return { ...config, added_tokens_decoder: { ...Object.fromEntries(listed), ...known } };
}

async function readJson(sideFiles: ReadonlyMap<string, string>, name: string): Promise<JsonObject | null> {
  const bytes = await readBytes(sideFiles, name, MAX_JSON_BYTES);
  return bytes === null ? null : parseJsonObject(bytes, name);
}

async function readBytes(sideFiles: ReadonlyMap<string, string>, name: string, limitBytes: number): Promise<Uint8Array | null> {
  const path = sideFiles.get(name);
  if (path === undefined) return null;
  try {
    const { size } = await stat(path);
    if (size > limitBytes) {
      throw new FormatError(`${name} has ${size} bytes; at most ${limitBytes} are read.`, {
        hint: 'No tokenizer of a model is that large. Get the file again from where the model came from.',
        details: { file: path },
      });
    }
    return await readFile(path);
  } catch (error) {
    throw toAppError(error, path);
  }
}
