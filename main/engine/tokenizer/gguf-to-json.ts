/**
 * Turns the vocabulary inside a GGUF file into the content of tokenizer.json and tokenizer_config.json, so that one
 * mechanism reads both and a Hugging Face folder can be written from a GGUF model. Keys and token types are those of
 * the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md).
 */
import { FormatError, UnsupportedError } from '../support/errors';
import { describeValue } from './describe-value';
import { GGUF_PRE_TOKENIZERS, type GgufPreTokenizer } from './gguf-pre-tokenizers';

/** Values of `tokenizer.ggml.token_type`. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export type GgufMetadataLike = ReadonlyMap<string, unknown>;

/** Merges are derived by trying every cut of every token: bounded, so that a hostile vocabulary cannot hang it. */
const MAX_SENTENCEPIECE_CHARACTERS = 2048;
const MAX_TOKENS = 2 ** 22;

interface Vocabulary {
  readonly model: 'gpt2' | 'llama';
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
  readonly unknownId: number | null;
  readonly addsBos: boolean;
  readonly pre: GgufPreTokenizer | null;
}

/**
 * The content of a tokenizer.json that gives the same ids as the GGUF vocabulary. Raises FormatError for metadata
 * that contradicts itself, UnsupportedError for kinds of vocabulary or pre-tokenizers that are not known here.
 */
export function ggufToTokenizerJson(metadata: GgufMetadataLike): Record<string, unknown> {
  const vocabulary = readVocabulary(metadata);
  const { tokens, types, unknownId, bosId } = vocabulary;
  const bosToken = bosId === null ? undefined : tokens[bosId];
  const isAdded = (type: number, id: number): boolean =>
    type === TOKEN_TYPES.control || type === TOKEN_TYPES.userDefined || (type === TOKEN_TYPES.unknown && id === unknownId);
  const addedTokens = tokens.flatMap((content, id) => {
    const type = types[id] ?? TOKEN_TYPES.normal;
    // llama.cpp finds user-defined tokens in plain text; special ones only where asked, Hugging Face always.
    return isAdded(type, id) && content !== ''
      ? [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: type !== TOKEN_TYPES.userDefined }]
      : [];
  });
  const parts = vocabulary.model === 'gpt2' ? bytePairParts(metadata, vocabulary) : sentencePieceParts(metadata, vocabulary);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens,
    normalizer: parts.normalizer,
    pre_tokenizer: parts.preTokenizer,
    post_processor: vocabulary.addsBos && bosId !== null && bosToken !== undefined ? bosTemplate(bosToken, bosId) : null,
    decoder: parts.decoder,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknownId === null ? null : (tokens[unknownId] ?? null),
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      ...parts.flags,
      vocab: Object.fromEntries(uniqueTokens(tokens)),
      merges: parts.merges,
    },
  };
}

/** The content of a tokenizer_config.json that goes with `ggufToTokenizerJson`. Raises as it does. */
export function ggufToTokenizerConfig(metadata: GgufMetadataLike): Record<string, unknown> {
  const { tokens, bosId, eosIds, unknownId, addsBos } = readVocabulary(metadata);
  const tokenOf = (id: number | null | undefined): string | null => (id === null || id === undefined ? null : (tokens[id] ?? null));
  const template = metadata.get('tokenizer.chat_template');
  const padId = optionalId(metadata, 'tokenizer.ggml.padding_token_id', tokens.length);
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    add_bos_token: addsBos,
    bos_token: tokenOf(bosId),
    eos_token: tokenOf(eosIds[0]),
    unk_token: tokenOf(unknownId),
    pad_token: tokenOf(padId),
    ...(typeof template === 'string' ? { chat_template: template } : {}),
  };
}

/** Ids that end a text: the end-of-text token first, then the end-of-turn token where the file names one. */
export function ggufEosIds(metadata: GgufMetadataLike): readonly number[] {
  return readVocabulary(metadata).eosIds;
}

function readVocabulary(metadata: GgufMetadataLike): Vocabulary {
  const model = metadata.get('tokenizer.ggml.model');
  if (model === undefined) {
    throw new FormatError('The GGUF file holds no vocabulary (tokenizer.ggml.model is missing).', {
      hint: 'Use a GGUF file that was made with its vocabulary, or the original Hugging Face folder.',
      details: { key: 'tokenizer.ggml.model' },
    });
  }
  if (model !== 'gpt2' && model !== 'llama') {
    throw new UnsupportedError(`The GGUF file's vocabulary is of the kind "${describeValue(model)}"; this program reads "gpt2" and "llama".`, {
      details: { feature: 'tokenizer.ggml.model', found: describeValue(model) },
    });
  }
  const tokens = readStrings(metadata, 'tokenizer.ggml.tokens');
  if (tokens === null || tokens.length === 0) throw missing('tokenizer.ggml.tokens');
  if (tokens.length > MAX_TOKENS) throw new FormatError(`tokenizer.ggml.tokens has ${tokens.length} tokens; at most ${MAX_TOKENS} are read.`);
  const types = readNumbers(metadata, 'tokenizer.ggml.token_type', tokens.length) ?? tokens.map(() => TOKEN_TYPES.normal);
  const pre = model === 'gpt2' ? findPreTokenizer(metadata) : null;
  const id = (name: string): number | null => optionalId(metadata, `tokenizer.ggml.${name}_token_id`, tokens.length);
  const addsBos = metadata.get('tokenizer.ggml.add_bos_token');
  // Llama's SentencePiece vocabularies have these ids where a file leaves them out (llama.cpp's defaults).
  const otherwise = (fallback: number): number | null => (model === 'llama' && fallback < tokens.length ? fallback : null);
  const endIds = [id('eos') ?? otherwise(2), id('eot')].filter((end) => end !== null);
  return {
    model,
    tokens,
    types,
    pre,
    bosId: id('bos') ?? otherwise(1),
    eosIds: [...new Set(endIds)],
    unknownId: model === 'llama' ? (id('unknown') ?? otherwise(0)) : null,
    addsBos: typeof addsBos === 'boolean' ? addsBos : (pre?.addsBos ?? true),
  };
}

function findPreTokenizer(metadata: GgufMetadataLike): GgufPreTokenizer {
  const name = metadata.get('tokenizer.ggml.pre') ?? 'default';
  const found = GGUF_PRE_TOKENIZERS.find((entry) => entry.names.some((known) => known === name));
  if (found !== undefined) return found;
  throw new UnsupportedError(`The GGUF file's pre-tokenizer "${describeValue(name)}" is not known to this program.`, {
    hint: `Known are ${GGUF_PRE_TOKENIZERS.flatMap((entry) => entry.names).join(', ')}. The original Hugging Face folder of the model may work.`,
    details: { feature: 'tokenizer.ggml.pre', found: describeValue(name) },
  });
}

interface Parts {
  readonly normalizer: unknown;
  readonly preTokenizer: unknown;
  readonly decoder: unknown;
  readonly flags: Readonly<Record<string, boolean>>;
  readonly merges: readonly unknown[];
}

function bytePairParts(metadata: GgufMetadataLike, { pre }: Vocabulary): Parts {
  const merges = readStrings(metadata, 'tokenizer.ggml.merges');
  if (merges === null) throw missing('tokenizer.ggml.merges');
  return {
    normalizer: null,
    preTokenizer: pre?.json ?? null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    flags: { fuse_unk: false, byte_fallback: false, ignore_merges: pre?.ignoreMerges ?? false },
    merges,
  };
}

function sentencePieceParts(metadata: GgufMetadataLike, { tokens, types }: Vocabulary): Parts {
  const scores = readNumbers(metadata, 'tokenizer.ggml.scores', tokens.length);
  if (scores === null) throw missing('tokenizer.ggml.scores');
  const prefixes = metadata.get('tokenizer.ggml.add_space_prefix') !== false;
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const decoders = [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }];
  return {
    normalizer: prefixes ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replace] } : replace,
    preTokenizer: null,
    decoder: { type: 'Sequence', decoders: prefixes ? [...decoders, { type: 'Strip', content: ' ', start: 1, stop: 0 }] : decoders },
    flags: { fuse_unk: true, byte_fallback: true, ignore_merges: false },
    merges: mergesFromScores(tokens, types, scores),
  };
}

/**
 * Merges of a SentencePiece vocabulary: every pair of tokens that makes a token, best score of the result first;
 * among equals the order of the vocabulary, as Hugging Face's converter has it.
 */
export function mergesFromScores(tokens: readonly string[], types: readonly number[], scores: readonly number[]): [string, string][] {
  const ids = new Map(uniqueTokens(tokens));
  const merges: { readonly pair: [string, string]; readonly score: number }[] = [];
  tokens.forEach((token, id) => {
    if (types[id] !== TOKEN_TYPES.normal) return;
    if (token.length > MAX_SENTENCEPIECE_CHARACTERS) {
      throw new FormatError(`tokenizer.ggml.tokens[${id}] is ${token.length} characters long; at most ${MAX_SENTENCEPIECE_CHARACTERS} are read.`);
    }
    const pairs: { readonly pair: [string, string]; readonly left: number; readonly right: number }[] = [];
    for (let cut = 1; cut < token.length; cut++) {
      const pair: [string, string] = [token.slice(0, cut), token.slice(cut)];
      const left = ids.get(pair[0]);
      const right = ids.get(pair[1]);
      if (left !== undefined && right !== undefined) pairs.push({ pair, left, right });
    }
    pairs.sort((a, b) => a.left - b.left || a.right - b.right);
    for (const { pair } of pairs) merges.push({ pair, score: scores[id] ?? 0 });
  });
  // Array sorting is stable, which keeps the order of the vocabulary among equal scores.
  return merges.sort((a, b) => b.score - a.score).map((merge) => merge.pair);
}

/** Tokens with their ids; a text that occurs again (padding rows do) gets a name that no text can produce. */
function uniqueTokens(tokens: readonly string[]): [string, number][] {
  const seen = new Set<string>();
  return tokens.map((token, id): [string, number] => {
    const name = seen.has(token) ? `<|duplicate ${id} of ${token}|>` : token;
    seen.add(name);
    return [name, id];
  });
}

function bosTemplate(token: string, id: number): unknown {
  const bos = { SpecialToken: { id: token, type_id: 0 } };
  const first = { Sequence: { id: 'A', type_id: 0 } };
  const second = { Sequence: { id: 'B', type_id: 1 } };
  return {
    type: 'TemplateProcessing',
    single: [bos, first],
    pair: [bos, first, { SpecialToken: { id: token, type_id: 1 } }, second],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}

function missing(key: string): FormatError {
  return new FormatError(`The GGUF file's vocabulary is incomplete: ${key} is missing or not a list.`, { details: { key } });
}

function readStrings(metadata: GgufMetadataLike, key: string): string[] | null {
  const value = metadata.get(key);
  if (!Array.isArray(value)) return null;
  return value.map((item: unknown, index) => {
    if (typeof item === 'string') return item;
    throw new FormatError(`${key}[${index}] is not a text.`, { details: { key, index } });
  });
}

function readNumbers(metadata: GgufMetadataLike, key: string, length: number): number[] | null {
  const value = metadata.get(key);
  if (value === undefined) return null;
  const items: unknown[] | null = Array.isArray(value) ? value : isNumberArray(value) ? Array.from<unknown>(value) : null;
  if (items === null) throw missing(key);
  if (items.length !== length) {
    throw new FormatError(`${key} has ${items.length} entries for ${length} tokens.`, { details: { key, expected: length, found: items.length } });
  }
  return items.map((item, index) => {
    const number = Number(item);
    if ((typeof item === 'number' || typeof item === 'bigint') && !Number.isNaN(number)) return number;
    throw new FormatError(`${key}[${index}] is not a number.`, { details: { key, index } });
  });
}

function isNumberArray(value: unknown): value is Iterable<unknown> {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function optionalId(metadata: GgufMetadataLike, key: string, count: number): number | null {
  const value = metadata.get(key);
  if (value === undefined) return null;
  const id = Number(value);
  if ((typeof value === 'number' || typeof value === 'bigint') && Number.isInteger(id) && id >= 0) {
    // Writers mark "none" by the largest 32-bit number.
    if (id < count) return id;
    if (id === 0xffff_ffff) return null;
  }
  throw new FormatError(`${key} is ${describeValue(value)}, but the vocabulary has ${count} tokens.`, { details: { key, found: describeValue(value) } });
}
