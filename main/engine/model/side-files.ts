/** The files that travel with a model besides its weights, and what they say about its licence and tokenizer. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { isJsonObject } from '../formats/json';
import type { GgufEntry } from '../formats/gguf/types';
import { ggufChatTemplates } from '../tokenizer/chat-templates';
import { parseSentencePieceModel } from '../tokenizer/sentencepiece-model';
import { resolveInside } from './locate';
import type { Problems } from './problems';
import { otherTokenizerFiles, readTokenizerConfig, readTokenizerFiles, TOKENIZER_HINT } from './tokenizer-files';

/** Names of files that are carried byte for byte into every exported copy. */
const SIDE_FILE_NAMES =
  /^(tokenizer\.json|tokenizer_config\.json|tokenizer\.model(\.v\d+)?|spiece\.model|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt|tekken\.json|generation_config\.json|chat_template\.(jinja|json)|README\.md)$/i;
/** However makers spell it: LICENSE.txt, LICENCE, MODEL_LICENSE, gemma-license.md. */
const LICENCE_NAMES = /^(.*[-_. ])?(LICEN[CS]ES?|COPYING)([-_. ].*)?$/i;
const NOTICE_NAMES = /^(.*[-_. ])?(NOTICE|USE[-_]POLICY|ACCEPTABLE[-_]USE[-_]POLICY)([-_. ].*)?$/i;
/** Code and weights are never legal texts, whatever they are called. */
const TEXT_NAMES = /^([^.]*|.*\.(txt|md|rst|pdf|html?|\d+))$/i;

/** Whether a file by its name states a licence, a notice or a policy of use: such files go wherever the weights go. */
export function isLegalFile(name: string): boolean {
  return TEXT_NAMES.test(name) && (LICENCE_NAMES.test(name) || NOTICE_NAMES.test(name));
}

/** Side files of a folder: name to real path. Links that lead out of the folder are left out, with a warning. */
export async function findSideFiles(folder: string, problems: Problems): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of (await readdir(folder)).sort()) {
    if (!SIDE_FILE_NAMES.test(name) && !isLegalFile(name)) continue;
    try {
      const path = await resolveInside(folder, name);
      if ((await stat(path)).isFile()) found.set(name, path);
    } catch (error) {
      problems.warn('side-file', `${name} is left out. ${error instanceof Error ? error.message : ''}`.trim());
    }
  }
  return found;
}

/** The licence that the model states: front matter of its card, else the name of its licence file, else `unknown`. */
export async function readLicence(sideFiles: ReadonlyMap<string, string>): Promise<string> {
  const { licence: stated } = await readCard(sideFiles);
  if (stated !== null) return stated.licence === 'other' ? (stated.name ?? 'other') : stated.licence;
  return [...sideFiles.keys()].find((name) => TEXT_NAMES.test(name) && LICENCE_NAMES.test(name)) ?? 'unknown';
}

/** What the front matter of a model card says about the licence, in the Hub's three fields. */
export interface CardLicence {
  readonly licence: string;
  readonly name: string | null;
  readonly link: string | null;
}

/** What the card among the side files states. */
export interface StatedCard {
  /** Null if there is no card, or it states none. */
  readonly licence: CardLicence | null;
  /** The model that this one was made from; null if the card does not say. */
  readonly base: string | null;
}

/** Reads the front matter of README.md; what is not there is null. */
export async function readCard(sideFiles: ReadonlyMap<string, string>): Promise<StatedCard> {
  const card = sideFiles.get('README.md');
  const front = card === undefined ? undefined : /^\ufeff?---\r?\n([\s\S]*?)\r?\n---/.exec(await readFile(card, 'utf8'))?.[1];
  const field = (name: string): string | null => {
    // A list of one, as the Hub writes it, is on the line below.
    const value = new RegExp(`^${name}:[ \\t]*(?:\\r?\\n[ \\t]*-[ \\t]*)?(\\S.*?)[ \\t]*\\r?$`, 'm').exec(front ?? '')?.[1]?.replace(/^["']|["']$/g, '');
    return value === undefined || value === '' ? null : value;
  };
  const licence = field('license');
  return {
    licence: licence === null ? null : { licence, name: field('license_name'), link: field('license_link') },
    base: field('base_model'),
  };
}

/** A tokenizer in a few words, for the summary of a model. */
export interface TokenizerSummary {
  /** `byte-level BPE`, `SentencePiece BPE`, another kind by name, or `none`. */
  readonly kind: string;
  /** Highest token id plus one; 0 when unknown. */
  readonly tokens: number;
  readonly hasChatTemplate: boolean;
}

/** Summarises the vocabulary inside a GGUF file. */
export function summariseGgufTokenizer(entries: ReadonlyMap<string, GgufEntry>): TokenizerSummary {
  const model = entries.get('tokenizer.ggml.model')?.value;
  const tokens = entries.get('tokenizer.ggml.tokens')?.value;
  const kinds: Readonly<Record<string, string>> = { gpt2: 'byte-level BPE', llama: 'SentencePiece BPE', gemma4: 'SentencePiece BPE', t5: 'Unigram' };
  const kind = typeof model === 'string' ? (kinds[model] ?? model) : 'none';
  return {
    kind,
    tokens: Array.isArray(tokens) ? tokens.length : 0,
    hasChatTemplate: ggufChatTemplates(new Map([...entries].map(([key, { value }]) => [key, value]))).size > 0,
  };
}

/** Summarises tokenizer.json and its companions. Faults are recorded. */
export async function summariseTokenizerFiles(
  sideFiles: ReadonlyMap<string, string>,
  problems: Problems,
): Promise<TokenizerSummary> {
  try {
    const files = await readTokenizerFiles(sideFiles);
    const config = files?.config ?? (await readTokenizerConfig(sideFiles));
    const hasChatTemplate = config['chat_template'] !== undefined && config['chat_template'] !== null;
    if (files === null) return { kind: 'none', tokens: 0, hasChatTemplate };
    if (files.kind === 'sentencepiece') {
      const { type, tokens: pieces } = parseSentencePieceModel(files.bytes);
      return { kind: type === 'bpe' ? 'SentencePiece BPE' : 'Unigram', tokens: highestId(config['added_tokens_decoder'], pieces.length), hasChatTemplate };
    }
    const tokenizer = files.json;
    const model = tokenizer['model'];
    if (!isJsonObject(model)) return { kind: 'none', tokens: 0, hasChatTemplate };
    // Unigram vocabularies are lists, whose places are the ids.
    const vocabulary = isJsonObject(model['vocab']) ? Object.values(model['vocab']) : Array.isArray(model['vocab']) ? [...model['vocab'].keys()] : [];
    const added: unknown[] = Array.isArray(tokenizer['added_tokens']) ? tokenizer['added_tokens'] : [];
    let tokens = 0;
    for (const id of [...vocabulary, ...added.map((token) => (isJsonObject(token) ? token['id'] : null))]) {
      if (typeof id === 'number' && id >= tokens) tokens = id + 1;
    }
    // Older files leave the type out; what has merges is BPE.
    const type = model['type'] ?? (Array.isArray(model['merges']) ? 'BPE' : 'unknown');
    const bpe = model['byte_fallback'] === true ? 'SentencePiece BPE' : 'byte-level BPE';
    return { kind: type === 'BPE' ? bpe : typeof type === 'string' ? type : 'unknown', tokens, hasChatTemplate };
  } catch (error) {
    problems.caught(error);
    return { kind: 'none', tokens: 0, hasChatTemplate: false };
  }
}

/** The number of tokens with those that tokenizer_config.json adds by id. */
function highestId(added: unknown, tokens: number): number {
  let count = tokens;
  for (const id of isJsonObject(added) ? Object.keys(added).map(Number) : []) if (Number.isSafeInteger(id) && id >= count) count = id + 1;
  return count;
}

/** Tells that a model has no tokenizer, or one in a form that is not read. */
export function tellMissingTokenizer(sideFiles: ReadonlyMap<string, string>, problems: Problems): void {
  const others = otherTokenizerFiles(sideFiles);
  if (others.length === 0) {
    problems.warn('no-tokenizer', 'The model comes without a tokenizer, so texts cannot be used with it, only token ids.');
  } else {
    problems.warn('no-tokenizer', `The model's tokenizer comes as ${others.join(' and ')}, a form that is not read, so texts cannot be used with it, only token ids.`, TOKENIZER_HINT);
  }
}

/** Tells when tokenizer and embedding disagree about how many tokens there are. */
export function compareVocabularies(tokenizer: TokenizerSummary, vocabulary: number, problems: Problems): void {
  if (tokenizer.tokens > vocabulary) {
    problems.warn(
      'tokenizer-larger',
      `The tokenizer has ids up to ${tokenizer.tokens - 1}, but the model only has ${vocabulary} tokens; texts that need the rest cannot be used.`,
    );
  } else if (tokenizer.tokens > 0 && tokenizer.tokens < vocabulary) {
    problems.warn(
      'tokenizer-smaller',
      `The model has room for ${vocabulary} tokens and its tokenizer uses ${tokenizer.tokens}; the unused ones are kept as they are.`,
    );
  }
}
