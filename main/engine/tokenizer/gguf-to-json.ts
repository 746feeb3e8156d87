/**
 * Turns the vocabulary inside a GGUF file into the content of tokenizer.json and tokenizer_config.json, so that one
 * mechanism reads both and a Hugging Face folder can be written from a GGUF model. Keys and token types are those of
 * the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md).
 */
import { FormatError, UnsupportedError } from '../support/errors';
import { describeValue } from '../support/describe-value';
import { GGUF_PRE_TOKENIZERS, type GgufPreTokenizer } from './gguf-pre-tokenizers';
import { chatTemplateField, ggufChatTemplates } from './chat-templates';
import { missing, optionalId, readMerges, readNumbers, readScores, readStrings, type GgufMetadataLike } from './gguf-metadata';
import { mergesFromScores, uniqueTokens } from './merges-from-scores';
import { TOKEN_TYPES } from './token-types';
import { unigramJsonParts, unigramModelOfGguf } from './gguf-unigram';

const MAX_TOKENS = 2 ** 22;

/** Values of `tokenizer.ggml.model` that are read: byte-level BPE, SentencePiece's two kinds, and BPE with its merges over text. */
const KINDS = ['gpt2', 'llama', 't5', 'gemma4'] as const;
type GgufVocabularyKind = (typeof KINDS)[number];
/** What ids mean where a file does not say (llama.cpp's defaults). */
const DEFAULT_IDS: Readonly<Record<GgufVocabularyKind, { readonly bos?: number; readonly eos?: number; readonly unknown?: number }>> = {
  gpt2: {},
  llama: { bos: 1, eos: 2, unknown: 0 },
  t5: { eos: 1, unknown: 2 },
  gemma4: {},
};

export interface GgufVocabulary {
  readonly model: GgufVocabularyKind;
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
  const parts = PARTS[vocabulary.model](metadata, vocabulary);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens,
    normalizer: parts.normalizer,
    pre_tokenizer: parts.preTokenizer,
    post_processor: vocabulary.addsBos && bosId !== null && bosToken !== undefined ? bosTemplate(bosToken, bosId) : null,
    decoder: parts.decoder,
    model: parts.model,
  };
}

/** The content of a tokenizer_config.json that goes with `ggufToTokenizerJson`. Raises as it does. */
export function ggufToTokenizerConfig(metadata: GgufMetadataLike): Record<string, unknown> {
  const { tokens, bosId, eosIds, unknownId, addsBos } = readVocabulary(metadata);
  const tokenOf = (id: number | null | undefined): string | null => (id === null || id === undefined ? null : (tokens[id] ?? null));
  const padId = optionalId(metadata, 'tokenizer.ggml.padding_token_id', tokens.length);
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    add_bos_token: addsBos,
    bos_token: tokenOf(bosId),
    eos_token: tokenOf(eosIds[0]),
    unk_token: tokenOf(unknownId),
    pad_token: tokenOf(padId),
    ...chatTemplateField(ggufChatTemplates(metadata)),
  };
}

/** What all kinds of vocabulary have. Raises FormatError and UnsupportedError. */
export function readVocabulary(metadata: GgufMetadataLike): GgufVocabulary {
  const model = metadata.get('tokenizer.ggml.model');
  if (model === undefined) {
    throw new FormatError('The GGUF file holds no vocabulary (tokenizer.ggml.model is missing).', {
      hint: 'Use a GGUF file that was made with its vocabulary, or the original Hugging Face folder.',
      details: { key: 'tokenizer.ggml.model' },
    });
  }
  const kind = KINDS.find((known) => known === model);
  if (kind === undefined) {
    const name = describeValue(model);
    const what = Object.hasOwn(OTHER_KINDS, name) ? `, ${OTHER_KINDS[name] ?? ''}` : '';
    throw new UnsupportedError(`The GGUF file's vocabulary is of the kind "${name}"${what}; this program reads ${KINDS.map((known) => `"${known}"`).join(', ')}.`, {
      details: { feature: 'tokenizer.ggml.model', found: name },
    });
  }
  const tokens = readStrings(metadata, 'tokenizer.ggml.tokens');
  if (tokens === null || tokens.length === 0) throw missing('tokenizer.ggml.tokens');
  if (tokens.length > MAX_TOKENS) throw new FormatError(`tokenizer.ggml.tokens has ${tokens.length} tokens; at most ${MAX_TOKENS} are read.`);
  const types = readNumbers(metadata, 'tokenizer.ggml.token_type', tokens.length) ?? tokens.map(() => TOKEN_TYPES.normal);
  const pre = kind === 'gpt2' ? findPreTokenizer(metadata) : null;
  const id = (name: string): number | null => optionalId(metadata, `tokenizer.ggml.${name}_token_id`, tokens.length);
  const addsBos = metadata.get('tokenizer.ggml.add_bos_token');
  const otherwise = (name: 'bos' | 'eos' | 'unknown'): number | null => {
    const fallback = DEFAULT_IDS[kind][name];
    return fallback !== undefined && fallback < tokens.length ? fallback : null;
  };
  const endIds = [id('eos') ?? otherwise('eos'), id('eot')].filter((end) => end !== null);
  return {
    model: kind,
    tokens,
    types,
    pre,
    bosId: id('bos') ?? otherwise('bos'),
    eosIds: [...new Set(endIds)],
    unknownId: kind === 'gpt2' ? null : (id('unknown') ?? otherwise('unknown')),
    addsBos: typeof addsBos === 'boolean' ? addsBos : (pre?.addsBos ?? kind === 'llama'),
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
  readonly model: unknown;
}

/** What kinds that are not read are, for people. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  bert: 'which models of the BERT kind have (WordPiece)',
  rwkv: 'which RWKV models have',
  no_vocab: 'so the file holds none',
};

const PARTS: Readonly<Record<GgufVocabularyKind, (metadata: GgufMetadataLike, vocabulary: GgufVocabulary) => Parts>> = {
  gpt2: bytePairParts,
  llama: sentencePieceParts,
  t5: (metadata, vocabulary) => unigramJsonParts(unigramModelOfGguf(metadata, vocabulary)),
  gemma4: mergedTextParts,
};

const MARK_SPACES = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
const UNMARK_SPACES = [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }];

function bpeModel({ tokens, unknownId }: GgufVocabulary, merges: readonly unknown[], flags: Readonly<Record<string, boolean>>): unknown {
  return {
    type: 'BPE',
    dropout: null,
    unk_token: unknownId === null ? null : (tokens[unknownId] ?? null),
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    ...flags,
    vocab: Object.fromEntries(uniqueTokens(tokens)),
    merges,
  };
}

function bytePairParts(metadata: GgufMetadataLike, vocabulary: GgufVocabulary): Parts {
  const { pre } = vocabulary;
  const flags = { fuse_unk: false, byte_fallback: false, ignore_merges: pre?.ignoreMerges ?? false };
  return {
    normalizer: null,
    preTokenizer: pre?.json ?? null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: bpeModel(vocabulary, readMerges(metadata), flags),
  };
}

function sentencePieceParts(metadata: GgufMetadataLike, vocabulary: GgufVocabulary): Parts {
  const { tokens, types } = vocabulary;
  const merges = mergesFromScores(tokens, types, readScores(metadata, tokens.length));
  const prefixes = metadata.get('tokenizer.ggml.add_space_prefix') !== false;
  return {
    normalizer: prefixes ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, MARK_SPACES] } : MARK_SPACES,
    preTokenizer: null,
    decoder: { type: 'Sequence', decoders: prefixes ? [...UNMARK_SPACES, { type: 'Strip', content: ' ', start: 1, stop: 0 }] : UNMARK_SPACES },
    model: bpeModel(vocabulary, merges, { fuse_unk: true, byte_fallback: true, ignore_merges: false }),
  };
}

/** Gemma 4: merges are written out, lines are cut apart, and nothing is put in front. */
function mergedTextParts(metadata: GgufMetadataLike, vocabulary: GgufVocabulary): Parts {
  return {
    normalizer: MARK_SPACES,
    preTokenizer: { type: 'Split', pattern: { Regex: '[^\\n]+|[\\n]+' }, behavior: 'Isolated', invert: false },
    decoder: { type: 'Sequence', decoders: UNMARK_SPACES },
    model: bpeModel(vocabulary, readMerges(metadata), { fuse_unk: true, byte_fallback: true, ignore_merges: false }),
  };
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
