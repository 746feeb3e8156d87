/**
 * The resolved form of a tokenizer.json: the parts this program runs, as data without optionals. Nested sequences
 * are flat lists of steps here; `parse-json.ts` makes it, `pipeline.ts` runs it.
 */

/** What a step looks for: a literal text, or a regular expression in Oniguruma's syntax. */
export type PatternSpec = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'regex'; readonly source: string };

export type UnicodeForm = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

export type NormalizerStep =
  | { readonly type: 'unicode'; readonly form: UnicodeForm }
  | { readonly type: 'lowercase' }
  | { readonly type: 'strip'; readonly left: boolean; readonly right: boolean }
  | { readonly type: 'prepend'; readonly text: string }
  | { readonly type: 'replace'; readonly pattern: PatternSpec; readonly content: string }
  /** Spaces at both ends go, runs of them become one; marks at the end go too. */
  | { readonly type: 'extraSpaces'; readonly mark: string }
  | { readonly type: 'charsmap'; readonly charsmap: Uint8Array; readonly matching: CharsmapMatching; readonly kept: readonly string[] };

/**
 * How SentencePiece's table of characters is applied: `longest` is SentencePiece's own way, `character` the way of
 * Hugging Face's tokenizers (whole characters as people see them, each by its shortest entry).
 */
export type CharsmapMatching = 'longest' | 'character';

/** What becomes of the matches of a split: names as in tokenizer.json. */
export const SPLIT_BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number];

/** Where the word mark (SentencePiece's U+2581) is put in front: everywhere, at the start of the text only, nowhere. */
export const PREPEND_SCHEMES = ['always', 'first', 'never'] as const;
export type PrependScheme = (typeof PREPEND_SCHEMES)[number];

export type PreTokenizerStep =
  | { readonly type: 'split'; readonly pattern: PatternSpec; readonly behavior: SplitBehavior; readonly invert: boolean }
  | { readonly type: 'byteLevel'; readonly addPrefixSpace: boolean; readonly useRegex: boolean }
  | { readonly type: 'metaspace'; readonly mark: string; readonly scheme: PrependScheme; readonly split: boolean };

export type DecoderStep =
  | { readonly type: 'byteLevel' }
  | { readonly type: 'byteFallback' }
  | { readonly type: 'fuse' }
  | { readonly type: 'replace'; readonly pattern: PatternSpec; readonly content: string }
  | { readonly type: 'strip'; readonly content: string; readonly start: number; readonly stop: number }
  | { readonly type: 'metaspace'; readonly mark: string; readonly scheme: PrependScheme };

/** A token matched as a whole before anything else happens to the text. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Special tokens steer the model and are left out of decoded text. */
  readonly special: boolean;
  readonly singleWord: boolean;
  /** Takes the white space before (after) it along. */
  readonly stripLeft: boolean;
  readonly stripRight: boolean;
  readonly lookedFor: TokenPlace;
}

/**
 * Where an added token is looked for: in the text as it comes; in the normalised text, its own text normalised too;
 * in the normalised text, its own text as it is (SentencePiece's user-defined pieces).
 */
export type TokenPlace = 'text' | 'normalized' | 'normalized-as-is';

/** The part of a tokenizer that turns a word into ids. */
export type ModelSpec = BpeSpec | UnigramSpec;

export interface BpeSpec {
  readonly type: 'bpe';
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Pairs of tokens in the order in which they are merged. */
  readonly merges: readonly (readonly [string, string])[];
  readonly unknownToken: string | null;
  readonly fuseUnknown: boolean;
  /** Characters outside the vocabulary become tokens `<0xNN>`, one per UTF-8 byte. */
  readonly byteFallback: boolean;
  /** A word that is in the vocabulary is taken as it is, whatever the merges would make of it. */
  readonly ignoreMerges: boolean;
}

export interface UnigramSpec {
  readonly type: 'unigram';
  /** All tokens, the ones that no text gives among them. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Logarithmic probabilities of the tokens that a text may give. */
  readonly scores: ReadonlyMap<string, number>;
  /** What a character without a token costs, in place of a score. */
  readonly unknownScore: number;
  readonly unknownToken: string | null;
  readonly byteFallback: boolean;
}

export interface TokenizerSpec {
  readonly addedTokens: readonly AddedToken[];
  readonly normalizer: readonly NormalizerStep[];
  readonly preTokenizer: readonly PreTokenizerStep[];
  readonly decoder: readonly DecoderStep[];
  readonly model: ModelSpec;
  /** Contents of the special tokens that the post-processor puts before a text. */
  readonly prefixTokens: readonly string[];
}
