/**
 * Turns a tokenizer.json into the vocabulary of a GGUF file: the keys `tokenizer.*` as llama.cpp reads them. What
 * GGUF cannot say is refused, for the file would load and give other ids.
 */
import { byteToken } from './byte-fallback';
import { GGUF_PRE_TOKENIZERS, type GgufPreTokenizer } from './gguf-pre-tokenizers';
import { parseTokenizerConfig, specialIds, tokenId } from './json-tokenizer';
import { parseTokenizerJson } from './parse-json';
import { isByteLevel } from './pipeline';
import type { BpeSpec, NormalizerStep, PreTokenizerStep, TokenizerSpec } from './spec';
import { TOKEN_TYPES } from './token-types';
import { unsupportedInGguf, vocabularyEntries, vocabularyRows, withinRows, type GgufVocabularyEntry } from './vocabulary-entries';

/**
 * Metadata entries of a tokenizer, in the order in which they are written. `rows` is the number of rows of the
 * model's embedding, 0 if it does not matter: llama.cpp wants as many tokens, so the rest is filled with unused ones, and
 * added tokens beyond it are left out. Raises FormatError for a file that cannot be read, UnsupportedError for a tokenizer
 * that GGUF has no name for.
 */
export function tokenizerJsonToGguf(tokenizerJson: unknown, tokenizerConfig: unknown, rows = 0): Map<string, GgufVocabularyEntry> {
  const spec = withinRows(parseTokenizerJson(tokenizerJson), rows);
  const config = parseTokenizerConfig(tokenizerConfig);
  if (spec.model.type !== 'bpe') throw unsupportedInGguf('a Unigram tokenizer that comes as tokenizer.json', 'Unigram');
  const kind = isByteLevel(spec) ? bytePairKind(spec, spec.model) : sentencePieceKind(spec, spec.model);
  const { tokens, types } = tokenTable(spec, rows);
  return vocabularyEntries({
    model: kind.model,
    pre: kind.pre,
    tokens,
    types,
    scores: kind.model === 'llama' ? scoresFromMerges(kind.merges, spec.model.vocabulary, tokens.length) : null,
    merges: kind.model === 'gpt2' ? writtenMerges(kind.merges) : null,
    charsmap: null,
    addsSpaceBefore: kind.prefixesSpace,
    removesExtraSpaces: null,
    ...specialIds(spec, config),
  });
}

type Merges = BpeSpec['merges'];

interface Kind {
  readonly model: 'gpt2' | 'llama';
  readonly pre: string;
  readonly prefixesSpace: boolean;
  readonly merges: Merges;
}

function bytePairKind(spec: TokenizerSpec, { ignoreMerges, merges }: BpeSpec): Kind {
  const wanted = signature(spec.preTokenizer);
  const same = GGUF_PRE_TOKENIZERS.filter((entry) => signature(stepsOf(entry)) === wanted);
  // Names that differ only in whether whole words are looked up first: the tokenizer's own way, if there is one.
  const found = same.find((entry) => entry.ignoreMerges === ignoreMerges) ?? same[0];
  // llama.cpp leaves Unicode forms out, as its own converter does; it has no way to say anything else.
  const normalizer = spec.normalizer.find((step) => step.type !== 'unicode');
  if (found === undefined) throw unsupportedInGguf('the way this tokenizer cuts text into words', 'pre_tokenizer');
  if (normalizer !== undefined) throw unsupportedInGguf(`this tokenizer's normalizer "${normalizer.type}"`, 'normalizer');
  return { model: 'gpt2', pre: found.names[0] ?? 'default', prefixesSpace: false, merges };
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
      const pattern = step.pattern.kind === 'regex' ? oneSpelling(step.pattern.source) : step.pattern.text;
      return { type: 'split', pattern, behavior: keepsMatches ? 'Isolated' : step.behavior, invert: step.invert && !keepsMatches };
    }),
  );
}

/**
 * The same pattern is around with the inline flag `(?i:...)` and with the letters written out, and with characters as
 * they are and as escapes.
 */
function oneSpelling(source: string): string {
  return source
    .replace(/\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|([rn])|[^])/g, (escape, long: string | undefined, short: string | undefined, ending: string | undefined) => {
      const code = Number.parseInt(long ?? short ?? '', 16);
      if (ending !== undefined) return ending === 'r' ? '\r' : '\n';
      return code <= 0x10_ffff ? String.fromCodePoint(code) : escape;
    })
    .replace(/\(\?:'\[sS\]\|'\[tT\]\|'\[rR\]\[eE\]\|'\[vV\]\[eE\]\|'\[mM\]\|'\[lL\]\[lL\]\|'\[dD\]\)/g, "(?i:'s|'t|'re|'ve|'m|'ll|'d)");
}

/** Recognises Llama's SentencePiece form: spaces become marks, one perhaps in front, by a normalizer or a metaspace. */
function sentencePieceKind(spec: TokenizerSpec, { byteFallback, merges }: BpeSpec): Kind {
  const steps = [...spec.normalizer, ...spec.preTokenizer];
  let prefixesSpace = false;
  let replacesSpaces = false;
  for (const step of steps) {
    if (step.type === 'prepend' && step.text === '▁') prefixesSpace = true;
    else if (step.type === 'replace' && step.content === '▁' && step.pattern.kind === 'literal' && step.pattern.text === ' ') replacesSpaces = true;
    else if (step.type === 'metaspace' && step.mark === '▁' && !step.split) {
      replacesSpaces = true;
      prefixesSpace ||= step.scheme !== 'never';
    } else if (!(replacesSpaces && isCutAtSpaces(step))) throw unsupportedInGguf(`this tokenizer's step "${step.type}"`, step.type);
  }
  if (!replacesSpaces || !byteFallback) throw unsupportedInGguf('this kind of tokenizer', 'model');
  return { model: 'llama', pre: 'default', prefixesSpace, merges };
}

/** Gemma's tokenizers cut at spaces after having replaced them all, which does nothing. */
function isCutAtSpaces(step: NormalizerStep | PreTokenizerStep): boolean {
  return step.type === 'split' && step.pattern.kind === 'literal' && step.pattern.text === ' ';
}

function tokenTable(spec: TokenizerSpec, rows: number): { readonly tokens: string[]; readonly types: Int32Array } {
  const byId = new Map<number, string>();
  const typeById = new Map<number, number>();
  const byteTokens = new Set(spec.model.byteFallback ? Array.from({ length: 256 }, (_, byte) => byteToken(byte)) : []);
  for (const [token, id] of spec.model.vocabulary) {
    byId.set(id, token);
    typeById.set(id, byteTokens.has(token) ? TOKEN_TYPES.byte : TOKEN_TYPES.normal);
  }
  for (const token of spec.addedTokens) {
    byId.set(token.id, token.content);
    typeById.set(token.id, token.special ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined);
  }
  const unknown = tokenId(spec, spec.model.unknownToken);
  if (unknown !== null && spec.model.byteFallback) typeById.set(unknown, TOKEN_TYPES.unknown);
  const count = vocabularyRows(byId.keys(), rows);
  return {
    tokens: Array.from({ length: count }, (_, id) => byId.get(id) ?? `[PAD${id}]`),
    types: Int32Array.from({ length: count }, (_, id) => typeById.get(id) ?? TOKEN_TYPES.unused),
  };
}

/** llama.cpp merges SentencePiece tokens by score; the rank of the first merge that makes a token orders them alike. */
function scoresFromMerges(merges: Merges, vocabulary: ReadonlyMap<string, number>, count: number): Float32Array {
  // Tokens that no merge makes must never win over one that a merge makes.
  const scores = new Float32Array(count).fill(-merges.length - 1);
  const made = new Set<number>();
  merges.forEach(([left, right], rank) => {
    const id = vocabulary.get(left + right);
    if (id === undefined || made.has(id)) return;
    made.add(id);
    scores[id] = -rank;
  });
  return scores;
}

function writtenMerges(merges: Merges): string[] {
  return merges.map(([left, right]) => {
    if (left.includes(' ') || right.includes(' ')) throw unsupportedInGguf('merges of tokens that contain spaces', 'merges');
    return `${left} ${right}`;
  });
}
