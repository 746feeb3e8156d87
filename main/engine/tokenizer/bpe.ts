/**
 * Byte-pair encoding of words into token ids, with a cache of words. It owns merging; cutting a text into words is
 * done before.
 */
import { FormatError } from '../support/errors';
import { fallbackIds } from './byte-fallback';
import { BYTE_CHARACTERS, toByteCharacters, utf8Bytes } from './byte-level';
import type { BpeSpec } from './spec';
import { WordCache } from './word-cache';
import { cutAtMarks, marksInside } from './word-marks';

/** Heap keys are rank * 2^31 + position: exact in a double while ranks stay under 2^22. */
const POSITION_RANGE = 2 ** 31;

/** Encodes words by the merges of a vocabulary. Cost of a word of n symbols: O(n log n). */
export class BpeEncoder {
  private readonly vocabulary: ReadonlyMap<string, number>;
  /** Key left * size + right, value index into `ranks` order; the merged id stands in `merged`. */
  private readonly ranks = new Map<number, number>();
  private readonly merged: Int32Array;
  private readonly idRange: number;
  private readonly byteIds: readonly (number | undefined)[] | null;
  private readonly fallbackIds: readonly number[] | null;
  private readonly unknownId: number | null;
  private readonly fuseUnknown: boolean;
  private readonly ignoreMerges: boolean;
  private readonly cutsAtMarks: boolean;
  private readonly words = new WordCache((word) => this.wholeWord(word) ?? this.mergeSymbols(this.symbolsOf(word)));

  /** `byteLevel`: words are UTF-8 bytes in the byte-level alphabet. Raises FormatError for merges of unknown tokens. */
  constructor(spec: BpeSpec, byteLevel: boolean) {
    this.vocabulary = spec.vocabulary;
    this.fuseUnknown = spec.fuseUnknown;
    this.ignoreMerges = spec.ignoreMerges;
    this.unknownId = spec.unknownToken === null ? null : (spec.vocabulary.get(spec.unknownToken) ?? null);
    this.byteIds = byteLevel ? BYTE_CHARACTERS.map((character) => spec.vocabulary.get(character)) : null;
    this.fallbackIds = spec.byteFallback ? fallbackIds(spec.vocabulary) : null;
    let largest = 0;
    for (const id of spec.vocabulary.values()) largest = Math.max(largest, id);
    this.idRange = largest + 1;
    this.merged = new Int32Array(spec.merges.length);
    spec.merges.forEach(([left, right], rank) => {
      const leftId = this.idOf(left, rank);
      const rightId = this.idOf(right, rank);
      const token = left + right;
      this.merged[rank] = this.idOf(token, rank);
      const key = leftId * this.idRange + rightId;
      // The first of equal pairs counts.
      if (!this.ranks.has(key)) this.ranks.set(key, rank);
    });
    // SentencePiece vocabularies are used on whole texts without cutting.
    this.cutsAtMarks =
      !byteLevel &&
      !spec.merges.some(([left, right]) => marksInside(left + right)) &&
      !(spec.ignoreMerges && [...spec.vocabulary.keys()].some(marksInside));
  }

  /** Appends the ids of a word (a piece that the pre-tokenizer cut). */
  encode(piece: string, ids: number[]): void {
    if (this.cutsAtMarks) cutAtMarks(piece, (word) => this.words.append(word, ids));
    else this.words.append(piece, ids);
  }

  private idOf(token: string, rank: number): number {
    const id = this.vocabulary.get(token);
    if (id !== undefined) return id;
    throw new FormatError(`The tokenizer's merge number ${rank + 1} uses the token "${token}", which is not in its vocabulary.`, {
      hint: 'The file may be damaged or cut off. Get the model again from where it came from.',
      details: { token, merge: rank },
    });
  }

  private wholeWord(word: string): readonly number[] | null {
    if (!this.ignoreMerges) return null;
    const id = this.vocabulary.get(this.byteIds === null ? word : toByteCharacters(word));
    return id === undefined ? null : [id];
  }

  /** The ids that merging starts from: one per byte or character. */
  private symbolsOf(word: string): number[] {
    const symbols: number[] = [];
    if (this.byteIds !== null) {
      for (const byte of utf8Bytes(word)) this.pushKnown(this.byteIds[byte], symbols);
      return symbols;
    }
    for (const character of word) {
      const id = this.vocabulary.get(character);
      if (id === undefined && this.fallbackIds !== null) {
        for (const byte of utf8Bytes(character)) this.pushKnown(this.fallbackIds[byte], symbols);
      } else {
        this.pushKnown(id, symbols);
      }
    }
    return symbols;
  }

  /** Unknown symbols become the unknown token; without one they are left out, as in Hugging Face's tokenizers. */
  private pushKnown(id: number | undefined, symbols: number[]): void {
    if (id !== undefined) symbols.push(id);
    else if (this.unknownId !== null && !(this.fuseUnknown && symbols.at(-1) === this.unknownId)) symbols.push(this.unknownId);
  }

  /** Merges the pair of lowest rank, leftmost first, until none is left. */
  private mergeSymbols(symbols: number[]): number[] {
    if (symbols.length < 2) return symbols;
    const next = Int32Array.from(symbols, (_, position) => (position + 1 < symbols.length ? position + 1 : -1));
    const previous = Int32Array.from(symbols, (_, position) => position - 1);
    const heap: number[] = [];
    const offer = (position: number): void => {
      const rank = this.rankAt(symbols, next, position);
      if (rank !== undefined) pushHeap(heap, rank * POSITION_RANGE + position);
    };
    for (let position = 0; position + 1 < symbols.length; position++) offer(position);
    for (let key = popHeap(heap); key !== undefined; key = popHeap(heap)) {
      const rank = Math.floor(key / POSITION_RANGE);
      const position = key - rank * POSITION_RANGE;
      // An entry is stale once its pair was merged into or away.
      if (this.rankAt(symbols, next, position) !== rank) continue;
      const right = next[position] ?? -1;
      const after = next[right] ?? -1;
      symbols[position] = this.merged[rank] ?? -1;
      symbols[right] = -1;
      next[position] = after;
      if (after !== -1) {
        previous[after] = position;
        offer(position);
      }
      const before = previous[position] ?? -1;
      if (before !== -1) offer(before);
    }
    return symbols.filter((id) => id !== -1);
  }

  private rankAt(symbols: readonly number[], next: Int32Array, position: number): number | undefined {
    const left = symbols[position] ?? -1;
    const right = next[position] ?? -1;
    if (left === -1 || right === -1) return undefined;
    return this.ranks.get(left * this.idRange + (symbols[right] ?? -1));
  }
}

function pushHeap(heap: number[], key: number): void {
  let child = heap.length;
  heap.push(key);
  while (child > 0) {
    const parent = (child - 1) >> 1;
    const above = heap[parent] ?? 0;
    if (above <= key) break;
    heap[child] = above;
    child = parent;
  }
  heap[child] = key;
}

function popHeap(heap: number[]): number | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return top;
  let parent = 0;
  for (;;) {
    let child = 2 * parent + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
    const below = heap[child] ?? 0;
    if (below >= last) break;
    heap[parent] = below;
    parent = child;
  }
  heap[parent] = last;
  return top;
}
