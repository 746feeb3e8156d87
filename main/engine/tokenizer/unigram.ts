/**
 * Unigram encoding (Kudo 2018, "Subword Regularization", section 3): of all ways to write a word with the tokens of a
 * vocabulary, the one of the highest total score, found by dynamic programming (Viterbi).
 */
import { FormatError } from '../support/errors';
import { fallbackIds } from './byte-fallback';
import { utf8Bytes } from './byte-level';
import type { UnigramSpec } from './spec';
import { WordCache } from './word-cache';
import { cutAtMarks, marksInside } from './word-marks';

/** Longer tokens exist in no known vocabulary; they would only make encoding slow. */
const MAX_TOKEN_CHARACTERS = 2048;
/** Half a character of UTF-16, which no UTF-8 text has. */
const LONE_SURROGATE = /\p{Surrogate}/gu;
/** How much worse than the worst token an unknown character is, in SentencePiece and Hugging Face's tokenizers alike. */
const UNKNOWN_PENALTY = 10;

/** The score of a character without a token, from those of all tokens. */
export function unknownScore(scores: Iterable<number>): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const score of scores) lowest = Math.min(lowest, score);
  return (lowest === Number.POSITIVE_INFINITY ? 0 : lowest) - UNKNOWN_PENALTY;
}

/** Encodes words by the scores of a vocabulary. Cost of a word of n characters: O(n * longest token). */
export class UnigramEncoder {
  /** Tokens that a text may give, in the order of their UTF-16 units, with their scores and ids. */
  private readonly tokens: readonly string[];
  private readonly scores: Float64Array;
  private readonly ids: Int32Array;
  /** Where the tokens that begin with a unit start and end. */
  private readonly ranges: ReadonlyMap<number, readonly [number, number]>;
  private readonly unknownScore: number;
  private readonly unknownId: number | null;
  private readonly byteIds: readonly number[] | null;
  private readonly cutsAtMarks: boolean;
  private readonly words = new WordCache((word) => this.bestPath(word.replace(LONE_SURROGATE, '\uFFFD')));

  /** Raises FormatError for tokens longer than any vocabulary has. */
  constructor(spec: UnigramSpec) {
    const sorted = [...spec.scores].filter(([token]) => token !== '').sort(([a], [b]) => (a < b ? -1 : 1));
    this.tokens = sorted.map(([token]) => token);
    this.scores = Float64Array.from(sorted, ([, score]) => score);
    this.ids = Int32Array.from(sorted, ([token]) => spec.vocabulary.get(token) ?? -1);
    this.unknownScore = spec.unknownScore;
    this.unknownId = spec.unknownToken === null ? null : (spec.vocabulary.get(spec.unknownToken) ?? null);
    this.byteIds = spec.byteFallback ? fallbackIds(spec.vocabulary) : null;
    this.cutsAtMarks = !this.tokens.some(marksInside);
    const ranges = new Map<number, [number, number]>();
    this.tokens.forEach((token, index) => {
      if (token.length > MAX_TOKEN_CHARACTERS) {
        throw new FormatError(`The tokenizer's token "${token.slice(0, 20)}..." is ${token.length} characters long; at most ${MAX_TOKEN_CHARACTERS} are read.`);
      }
      const range = ranges.get(token.charCodeAt(0));
      if (range === undefined) ranges.set(token.charCodeAt(0), [index, index + 1]);
      else range[1] = index + 1;
    });
    this.ranges = ranges;
  }

  /** Appends the ids of a word (a piece that the pre-tokenizer cut). */
  encode(piece: string, ids: number[]): void {
    if (this.cutsAtMarks) cutAtMarks(piece, (word) => this.words.append(word, ids));
    else this.words.append(piece, ids);
  }

  private bestPath(word: string): readonly number[] {
    const best = new Float64Array(word.length + 1).fill(Number.NEGATIVE_INFINITY);
    /** Index of the token that ends at each place on the best path, -1 for an unknown character; and its start. */
    const last = new Int32Array(word.length + 1).fill(-1);
    const starts = new Int32Array(word.length + 1).fill(-1);
    best[0] = 0;
    const offer = (start: number, end: number, score: number, token: number): void => {
      // The first of equals stays, as in SentencePiece.
      if (starts[end] !== -1 && !(score > (best[end] ?? 0))) return;
      best[end] = score;
      last[end] = token;
      starts[end] = start;
    };
    for (let start = 0; start < word.length;) {
      const soFar = best[start] ?? 0;
      const next = start + ((word.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
      const found = { single: false };
      this.eachTokenAt(word, start, (token, end) => {
        offer(start, end, soFar + (this.scores[token] ?? 0), token);
        if (end === next) found.single = true;
      });
      if (!found.single) offer(start, next, soFar + this.unknownScore, -1);
      start = next;
    }
    return this.idsOfPath(word, last, starts);
  }

  /** Calls `use` with every token that the word has at a place, shortest first. */
  private eachTokenAt(word: string, start: number, use: (token: number, end: number) => void): void {
    let [low, high] = this.ranges.get(word.charCodeAt(start)) ?? [0, 0];
    for (let length = 1; low < high; length++) {
      // All tokens from low to high begin with the word's `length` units from start; the shortest comes first.
      if (this.tokens[low]?.length === length) use(low++, start + length);
      if (start + length >= word.length) return;
      const unit = word.charCodeAt(start + length);
      low = this.firstFrom(low, high, length, unit);
      high = this.firstFrom(low, high, length, unit + 1);
    }
  }

  /** The first token from low to high whose unit at a place is not below `unit`. */
  private firstFrom(low: number, high: number, place: number, unit: number): number {
    let from = low;
    let to = high;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.tokens[middle]?.charCodeAt(place) ?? 0) < unit) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** From the end to the start; unknown characters become their bytes, or all of a run one unknown token. */
  private idsOfPath(word: string, last: Int32Array, starts: Int32Array): readonly number[] {
    const reversed: number[] = [];
    let previousUnknown = false;
    for (let end = word.length; end > 0;) {
      const token = last[end] ?? -1;
      const start = starts[end] ?? 0;
      const unknown = token === -1 || this.ids[token] === this.unknownId;
      if (!unknown) reversed.push(this.ids[token] ?? -1);
      else if (this.byteIds !== null) {
        for (const byte of utf8Bytes(word.slice(start, end)).reverse()) reversed.push(this.byteIds[byte] ?? -1);
      } else if (this.unknownId !== null && !previousUnknown) reversed.push(this.unknownId);
      previousUnknown = unknown;
      end = start;
    }
    return reversed.reverse();
  }
}
