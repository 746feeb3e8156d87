/** Makes a Tokenizer, or the vocabulary of a GGUF file, from a SentencePiece model (`tokenizer.model`). */
import { parseTokenizerConfig, specialIds, tokenizerOfSpec, type TokenizerConfig } from './json-tokenizer';
import { parseSentencePieceModel, type SentencePieceModel } from './sentencepiece-model';
import { sentencePieceSpec } from './sentencepiece-spec';
import { TOKEN_TYPES } from './token-types';
import type { Tokenizer } from './tokenizer';
import { unsupportedInGguf, vocabularyEntries, vocabularyRows, withinRows, type GgufVocabularyEntry } from './vocabulary-entries';
import { WORD_MARK } from './word-marks';

/**
 * A Tokenizer from the bytes of a tokenizer.model. `tokenizerConfig` is the content of tokenizer_config.json, null
 * where there is none; tokens that it adds beyond the model's are found too. Raises FormatError or UnsupportedError.
 */
export function loadTokenizerFromSentencePiece(bytes: Uint8Array, tokenizerConfig: unknown, extraEosIds: readonly number[] = []): Tokenizer {
  const model = parseSentencePieceModel(bytes);
  const config = completeConfig(model, parseTokenizerConfig(tokenizerConfig));
  return tokenizerOfModel(model, config, extraEosIds);
}

/** A Tokenizer from a SentencePiece model that was read already. Raises FormatError or UnsupportedError. */
export function tokenizerOfModel(model: SentencePieceModel, config: TokenizerConfig, extraEosIds: readonly number[]): Tokenizer {
  return tokenizerOfSpec(sentencePieceSpec(model, config.addedTokens), config, extraEosIds);
}

/**
 * The keys `tokenizer.*` of a GGUF file with `rows` embedding rows for a tokenizer.model: its own tokens, scores and
 * types. Raises FormatError or UnsupportedError, also where llama.cpp would give other ids.
 */
export function sentencePieceToGguf(bytes: Uint8Array, tokenizerConfig: unknown, rows = 0): Map<string, GgufVocabularyEntry> {
  const model = parseSentencePieceModel(bytes);
  const config = completeConfig(model, parseTokenizerConfig(tokenizerConfig));
  const spec = withinRows(sentencePieceSpec(model, config.addedTokens), rows);
  if (model.type === 'bpe') {
    if (model.charsmap.length > 0) throw unsupportedInGguf('a BPE tokenizer that replaces characters', 'precompiled_charsmap');
    if (model.removesExtraSpaces) throw unsupportedInGguf('a BPE tokenizer that removes spaces', 'remove_extra_whitespaces');
    if (!model.byteFallback) throw unsupportedInGguf('a BPE tokenizer without tokens for bytes', 'byte_fallback');
  } else if (model.byteFallback) throw unsupportedInGguf('a Unigram tokenizer with tokens for bytes', 'byte_fallback');
  const extra = new Map(spec.addedTokens.map((token) => [token.id, token]));
  const count = vocabularyRows(extra.keys(), Math.max(rows, model.tokens.length));
  const ids = Array.from({ length: count }, (_, id) => id);
  return vocabularyEntries({
    model: model.type === 'bpe' ? 'llama' : 't5',
    pre: 'default',
    tokens: ids.map((id) => ggufToken(model, id) ?? extra.get(id)?.content ?? `[PAD${id}]`),
    types: Int32Array.from(ids, (id) => model.types[id] ?? addedType(extra.get(id)?.special)),
    scores: Float32Array.from(ids, (id) => model.scores[id] ?? 0),
    merges: null,
    charsmap: model.charsmap.length > 0 ? model.charsmap : null,
    addsSpaceBefore: model.addsSpaceBefore,
    removesExtraSpaces: model.type === 'bpe' ? null : model.removesExtraSpaces,
    ...specialIds(spec, config),
  });
}

/** llama.cpp looks for user-defined tokens before it marks spaces. */
function ggufToken({ tokens, types }: SentencePieceModel, id: number): string | undefined {
  const token = tokens[id];
  return types[id] === TOKEN_TYPES.userDefined ? token?.replaceAll(WORD_MARK, ' ') : token;
}

function addedType(special: boolean | undefined): number {
  if (special === undefined) return TOKEN_TYPES.unused;
  return special ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined;
}

/** What a tokenizer_config.json leaves open, or a missing one, the model says itself. */
function completeConfig(model: SentencePieceModel, config: TokenizerConfig): TokenizerConfig {
  const tokenOf = (id: number | null): string | null => (id === null || model.types[id] !== TOKEN_TYPES.control ? null : (model.tokens[id] ?? null));
  return { ...config, bosToken: config.bosToken ?? tokenOf(model.bosId), eosToken: config.eosToken ?? tokenOf(model.eosId) };
}
