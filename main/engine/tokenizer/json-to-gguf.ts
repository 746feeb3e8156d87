/**
 * Turns a tokenizer.json into the vocabulary of a GGUF file: the keys `tokenizer.*` as llama.cpp reads them. What
 * GGUF cannot say is refused, for the file would load and give other ids.
 */
import { UnsupportedError } from '../support/errors';
import { byteToken } from './bpe';
import { GGUF_PRE_TOKENIZERS, type GgufPreTokenizer } from './gguf-pre-tokenizers';
import { TOKEN_TYPES } from './gguf-to-json';
import { parseTokenizerConfig, prefixIdsOf, tokenId } from './json-tokenizer';
import { parseTokenizerJson } from './parse-json';
import { isByteLevel } from './pipeline';
import type { PreTokenizerStep, TokenizerSpec } from './spec';

/** One metadata value with the type that it has in the file. */
export type GgufVocabularyEntry =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'uint32'; readonly value: number }
  | { readonly type: 'array'; readonly elementType: 'string'; readonly value: readonly string[] }
  | { readonly type: 'array'; readonly elementType: 'float32'; readonly value: Float32Array }
  | { readonly type: 'array'; readonly elementType: 'int32'; readonly value: Int32Array };

/**
 * Metadata entries of a tokenizer, in the order in which they are written. `rows` is the number of rows of the
 * model's embedding: llama.cpp wants as many tokens, so the rest is filled with unused ones. Raises FormatError for a
 * file that cannot be read, UnsupportedError for a tokenizer that GGUF has no name for.
 */
export function tokenizerJsonToGguf(tokenizerJson: unknown, tokenizerConfig: unknown, rows = 0): Map<string, GgufVocabularyEntry> {
  const spec = parseTokenizerJson(tokenizerJson);
  const config = parseTokenizerConfig(tokenizerConfig);
  const kind = isByteLevel(spec) ? bytePairKind(spec) : sentencePieceKind(spec);
  const { tokens, types } = tokenTable(spec, rows);
  const prefixIds = prefixIdsOf(spec, config);
  const entries = new Map<string, GgufVocabularyEntry>();
  const put = (key: string, entry: GgufVocabularyEntry): void => void entries.set(`tokenizer.${key}`, entry);
  const putId = (key: string, id: number | null): void => {
    if (id !== null) put(`ggml.${key}_token_id`, { type: 'uint32', value: id });
  };
  put('ggml.model', { type: 'string', value: kind.model });
  put('ggml.pre', { type: 'string', value: kind.pre });
  put('ggml.tokens', { type: 'array', elementType: 'string', value: tokens });
  if (kind.model === 'llama') put('ggml.scores', { type: 'array', elementType: 'float32', value: scoresFromMerges(spec, tokens.length) });
  put('ggml.token_type', { type: 'array', elementType: 'int32', value: types });
  if (kind.model === 'gpt2') put('ggml.merges', { type: 'array', elementType: 'string', value: writtenMerges(spec) });
  putId('bos', tokenId(spec, config.bosToken) ?? prefixIds[0] ?? null);
  putId('eos', tokenId(spec, config.eosToken));
  putId('unknown', tokenId(spec, spec.model.unknownToken));
  put('ggml.add_bos_token', { type: 'bool', value: prefixIds.length > 0 });
  put('ggml.add_space_prefix', { type: 'bool', value: kind.prefixesSpace });
  if (config.chatTemplate !== null) put('chat_template', { type: 'string', value: config.chatTemplate });
  return entries;
}

interface Kind {
  readonly model: 'gpt2' | 'llama';
  readonly pre: string;
  readonly prefixesSpace: boolean;
}

function bytePairKind(spec: TokenizerSpec): Kind {
  const wanted = signature(spec.preTokenizer);
  const same = GGUF_PRE_TOKENIZERS.filter((entry) => signature(stepsOf(entry)) === wanted);
  // Names that differ only in whether whole words are looked up first: the tokenizer's own way, if there is one.
  const found = same.find((entry) => entry.ignoreMerges === spec.model.ignoreMerges) ?? same[0];
  // llama.cpp leaves Unicode forms out, as its own converter does; it has no way to say anything else.
  const normalizer = spec.normalizer.find((step) => step.type !== 'unicode');
  if (found === undefined) throw unsupported('the way this tokenizer cuts text into words', 'pre_tokenizer');
  if (normalizer !== undefined) throw unsupported(`this tokenizer's normalizer "${normalizer.type}"`, 'normalizer');
  return { model: 'gpt2', pre: found.names[0] ?? 'default', prefixesSpace: false };
}

function stepsOf(entry: GgufPreTokenizer): readonly PreTokenizerStep[] {
  return parseTokenizerJson({ pre_tokenizer: entry.json, model: { type: 'BPE', vocab: {}, merges: [] } }).preTokenizer;
}

/** Equal for step lists that cut texts alike. */
function signature(steps: readonly PreTokenizerStep[]): string {
  return JSON.stringify(
    steps.map((step) => {
      if (step.type !== 'split') return step;
      // Keeping only the matches is isolating them, for these patterns leave nothing between matches.
      const keepsMatches = step.behavior === 'Removed' && step.invert;
      const pattern = step.pattern.kind === 'regex' ? expandContractions(step.pattern.source) : step.pattern.text;
      return { type: 'split', pattern, behavior: keepsMatches ? 'Isolated' : step.behavior, invert: step.invert && !keepsMatches };
    }),
  );
}

/** The same pattern is around with the inline flag `(?i:...)` and with the letters written out. */
function expandContractions(source: string): string {
  return source.replace(/\(\?:'\[sS\]\|'\[tT\]\|'\[rR\]\[eE\]\|'\[vV\]\[eE\]\|'\[mM\]\|'\[lL\]\[lL\]\|'\[dD\]\)/, "(?i:'s|'t|'re|'ve|'m|'ll|'d)");
}

/** Recognises Llama's SentencePiece form: spaces become marks, one perhaps in front, by a normalizer or a metaspace. */
function sentencePieceKind(spec: TokenizerSpec): Kind {
  const steps = [...spec.normalizer, ...spec.preTokenizer];
  let prefixesSpace = false;
  let replacesSpaces = false;
  for (const step of steps) {
    if (step.type === 'prepend' && step.text === '▁') prefixesSpace = true;
    else if (step.type === 'replace' && step.content === '▁' && step.pattern.kind === 'literal' && step.pattern.text === ' ') replacesSpaces = true;
    else if (step.type === 'metaspace' && step.mark === '▁' && !step.split) {
      replacesSpaces = true;
      prefixesSpace ||= step.scheme !== 'never';
    } else throw unsupported(`this tokenizer's step "${step.type}"`, step.type);
  }
  if (!replacesSpaces || !spec.model.byteFallback) throw unsupported('this kind of tokenizer', 'model');
  return { model: 'llama', pre: 'default', prefixesSpace };
}

function unsupported(what: string, found: string): UnsupportedError {
  return new UnsupportedError(`A GGUF file cannot express ${what}.`, {
    hint: 'Export the model as a Hugging Face folder (safetensors) instead.',
    details: { feature: 'GGUF vocabulary', found },
  });
}

function tokenTable(spec: TokenizerSpec, rows: number): { readonly tokens: string[]; readonly types: Int32Array } {
  const byId = new Map<number, string>();
  const typeById = new Map<number, number>();
  const byteTokens = new Set(spec.model.byteFallback ? Array.from({ length: 256 }, (_, byte) => byteToken(byte)) : []);
  let count = rows;
  for (const [token, id] of spec.model.vocabulary) {
    byId.set(id, token);
    typeById.set(id, byteTokens.has(token) ? TOKEN_TYPES.byte : TOKEN_TYPES.normal);
    count = Math.max(count, id + 1);
  }
  for (const token of spec.addedTokens) {
    byId.set(token.id, token.content);
    typeById.set(token.id, token.special ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined);
    count = Math.max(count, token.id + 1);
  }
  const unknown = tokenId(spec, spec.model.unknownToken);
  if (unknown !== null && spec.model.byteFallback) typeById.set(unknown, TOKEN_TYPES.unknown);
  return {
    tokens: Array.from({ length: count }, (_, id) => byId.get(id) ?? `[PAD${id}]`),
    types: Int32Array.from({ length: count }, (_, id) => typeById.get(id) ?? TOKEN_TYPES.unused),
  };
}

/** llama.cpp merges SentencePiece tokens by score; the rank of the first merge that makes a token orders them alike. */
function scoresFromMerges(spec: TokenizerSpec, count: number): Float32Array {
  // Tokens that no merge makes must never win over one that a merge makes.
  const scores = new Float32Array(count).fill(-spec.model.merges.length - 1);
  const made = new Set<number>();
  spec.model.merges.forEach(([left, right], rank) => {
    const id = spec.model.vocabulary.get(left + right);
    if (id === undefined || made.has(id)) return;
    made.add(id);
    scores[id] = -rank;
  });
  return scores;
}

function writtenMerges(spec: TokenizerSpec): string[] {
  return spec.model.merges.map(([left, right]) => {
    if (left.includes(' ') || right.includes(' ')) throw unsupported('merges of tokens that contain spaces', 'merges');
    return `${left} ${right}`;
  });
}
