/** The keys `tokenizer.*` of a GGUF file, in the order in which they are written, whatever file the tokenizer came from. */
import { FormatError, UnsupportedError } from '../support/errors';
import { chatTemplateKeys, type ChatTemplates } from './chat-templates';
import type { TokenizerSpec } from './spec';

/** One metadata value with the type that it has in the file. */
export type GgufVocabularyEntry =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'uint32'; readonly value: number }
  | { readonly type: 'array'; readonly elementType: 'string'; readonly value: readonly string[] }
  | { readonly type: 'array'; readonly elementType: 'float32'; readonly value: Float32Array }
  | { readonly type: 'array'; readonly elementType: 'uint8'; readonly value: Uint8Array }
  | { readonly type: 'array'; readonly elementType: 'int32'; readonly value: Int32Array };

/** Ids and texts that all kinds of tokenizers state alike; null is left out. */
export interface SpecialIds {
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly unknownId: number | null;
  readonly padId: number | null;
  readonly addsBos: boolean;
  readonly templates: ChatTemplates;
}

/** Ids that no token has and no embedding row asks for; the largest gap of a known tokenizer is some hundreds. */
const MAX_UNUSED_IDS = 65_536;

/**
 * How many tokens a GGUF vocabulary needs for ids that are all below it, and at least `rows`. Raises FormatError where a few
 * tokens with absurd ids would make a table of millions.
 */
export function vocabularyRows(ids: Iterable<number>, rows: number): number {
  let [count, known] = [rows, 0];
  for (const id of ids) {
    count = Math.max(count, id + 1);
    known++;
  }
  const unused = count - Math.max(rows, known);
  if (unused <= MAX_UNUSED_IDS) return count;
  throw new FormatError(`The tokenizer has a token with the id ${count - 1}, but only ${known} tokens, and the model has ${rows}.`, {
    hint: 'The tokenizer may be damaged or belong to another model. Get the model again, with its own tokenizer files.',
    details: { found: count - 1, expected: Math.max(rows, known) },
  });
}

/**
 * A tokenizer without the added tokens whose ids lie beyond the embedding's `rows` (0: no limit): a model has nothing for
 * them, and llama.cpp opens no file with more tokens than rows. Raises UnsupportedError where other tokens lie there.
 */
export function withinRows(spec: TokenizerSpec, rows: number): TokenizerSpec {
  if (rows === 0) return spec;
  for (const id of spec.model.vocabulary.values()) if (id >= rows) throw unsupportedInGguf('a tokenizer with more tokens than the model has rows', `id ${id} of ${rows}`);
  return { ...spec, addedTokens: spec.addedTokens.filter((token) => token.id < rows) };
}

/** A vocabulary as llama.cpp reads it; null is left out. */
export interface VocabularyToWrite extends SpecialIds {
  readonly model: 'gpt2' | 'llama' | 't5';
  readonly pre: string;
  readonly tokens: readonly string[];
  readonly types: Int32Array;
  readonly scores: Float32Array | null;
  readonly merges: readonly string[] | null;
  readonly charsmap: Uint8Array | null;
  readonly addsSpaceBefore: boolean;
  readonly removesExtraSpaces: boolean | null;
}

/** Entries by key. */
export function vocabularyEntries(vocabulary: VocabularyToWrite): Map<string, GgufVocabularyEntry> {
  const entries = new Map<string, GgufVocabularyEntry>();
  const put = (key: string, entry: GgufVocabularyEntry): void => void entries.set(`tokenizer.${key}`, entry);
  const putId = (key: string, id: number | null): void => {
    if (id !== null) put(`ggml.${key}_token_id`, { type: 'uint32', value: id });
  };
  const { scores, merges, charsmap, removesExtraSpaces } = vocabulary;
  put('ggml.model', { type: 'string', value: vocabulary.model });
  put('ggml.pre', { type: 'string', value: vocabulary.pre });
  put('ggml.tokens', { type: 'array', elementType: 'string', value: vocabulary.tokens });
  if (scores !== null) put('ggml.scores', { type: 'array', elementType: 'float32', value: scores });
  put('ggml.token_type', { type: 'array', elementType: 'int32', value: vocabulary.types });
  if (merges !== null) put('ggml.merges', { type: 'array', elementType: 'string', value: merges });
  putId('bos', vocabulary.bosId);
  putId('eos', vocabulary.eosId);
  putId('unknown', vocabulary.unknownId);
  putId('padding', vocabulary.padId);
  put('ggml.add_bos_token', { type: 'bool', value: vocabulary.addsBos });
  put('ggml.add_space_prefix', { type: 'bool', value: vocabulary.addsSpaceBefore });
  if (removesExtraSpaces !== null) put('ggml.remove_extra_whitespaces', { type: 'bool', value: removesExtraSpaces });
  if (charsmap !== null) put('ggml.precompiled_charsmap', { type: 'array', elementType: 'uint8', value: charsmap });
  for (const [key, value] of chatTemplateKeys(vocabulary.templates)) {
    put(key, typeof value === 'string' ? { type: 'string', value } : { type: 'array', elementType: 'string', value });
  }
  return entries;
}

/** A tokenizer, or a part of one, that no GGUF file can state. */
export function unsupportedInGguf(what: string, found: string): UnsupportedError {
  return new UnsupportedError(`A GGUF file cannot express ${what}.`, {
    hint: 'Export the model as a Hugging Face folder (safetensors) instead.',
    details: { feature: 'GGUF vocabulary', found },
  });
}
