/**
 * Changing the element type of weights without losing anything silently: every value that the narrower type cannot
 * hold is counted. What is too large becomes the largest number of the type, because an infinity would spoil the model.
 */
import { PLAIN_TYPE_BYTES, decodePlain, encodePlain, type PlainType, type WrittenType } from './elements';
import { ReusedMemory } from './reused-memory';

/** Types in which weights are stored as elements that stand alone. */
export type FloatType = Extract<PlainType, 'F64' | 'F32' | 'F16' | 'BF16'>;

/** Whether elements of a stored type are floating-point numbers that stand alone. */
export function isFloatType(type: string): type is FloatType {
  return type === 'F64' || type === 'F32' || type === 'F16' || type === 'BF16';
}

/** Values that did not survive a change of type as they were. */
export interface RangeCounts {
  /** Larger than the type holds; set to its largest number. */
  overflowed: number;
  /** Not zero before and zero now. */
  underflowed: number;
  /** Infinite, or no number at all, already in the source; kept so. */
  notFinite: number;
}

export function noCounts(): RangeCounts {
  return { overflowed: 0, underflowed: 0, notFinite: 0 };
}

/** Whether anything was counted. */
export function hasLosses({ overflowed, underflowed, notFinite }: RangeCounts): boolean {
  return overflowed + underflowed + notFinite > 0;
}

/** Largest finite number of each written type, as float32 bits and as bits of the type. */
const LIMITS = {
  // What rounds to infinity, and what rounds to zero, as float32 bits: half a step beyond the last number, ties to even.
  F16: { overflowFrom: 0x477ff000, zeroUpTo: 0x33000000, largest: 0x7bff },
  BF16: { overflowFrom: 0x7f7f8000, zeroUpTo: 0x00008000, largest: 0x7f7f },
} as const;
const INFINITY_BITS = 0x7f800000;

/** The values in the stored form of `type`, with what did not survive added to `counts`. For F32 a view of the same memory. */
export function encodeInRange(type: WrittenType, values: Float32Array, counts: RangeCounts): Uint8Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bytes = encodePlain(type, values);
  if (type === 'F32') {
    for (let index = 0; index < words.length; index++) {
      if (((words[index] ?? 0) & 0x7fffffff) >= INFINITY_BITS) counts.notFinite++;
    }
    return bytes;
  }
  const { overflowFrom, zeroUpTo, largest } = LIMITS[type];
  const written = new Uint16Array(bytes.buffer, bytes.byteOffset, values.length);
  for (let index = 0; index < words.length; index++) {
    const magnitude = (words[index] ?? 0) & 0x7fffffff;
    if (magnitude > zeroUpTo && magnitude < overflowFrom) continue;
    if (magnitude >= INFINITY_BITS) counts.notFinite++;
    else if (magnitude >= overflowFrom) {
      counts.overflowed++;
      written[index] = ((words[index] ?? 0) >>> 16 & 0x8000) | largest;
    } else if (magnitude !== 0) counts.underflowed++;
  }
  return bytes;
}

/**
 * From stored elements of one type to those of another, adding what did not survive to `counts`. Answers new memory, a
 * part of `memory` where that is given and the way goes through a table, or what it was given where nothing changes (and
 * nothing is counted). The input must start at a multiple of 8.
 */
export type ElementConverter = (bytes: Uint8Array, counts: RangeCounts, memory?: ReusedMemory) => Uint8Array;

/** Makes a converter; 16-bit types go through a table of all their values, which takes milliseconds to make. */
export function elementConverter(from: FloatType, to: WrittenType): ElementConverter {
  if (from === to) return (bytes) => bytes;
  if (from === 'F64') return (bytes, counts) => encodeInRange(to, narrow(bytes, counts), counts);
  if (from === 'F32') {
    return (bytes, counts) => encodeInRange(to, new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4), counts);
  }
  return tableConverter(from, to);
}

/** What one 16-bit word became; most are ordinary. */
const [ORDINARY, OVERFLOWED, UNDERFLOWED, NOT_FINITE] = [0, 1, 2, 3] as const;

function tableConverter(from: 'F16' | 'BF16', to: WrittenType): ElementConverter {
  const all = Uint16Array.from({ length: 65536 }, (_, word) => word);
  const values = new Float32Array(65536);
  decodePlain(from, new Uint8Array(all.buffer), values, 0);
  const outcomes = new Uint8Array(65536);
  for (let word = 0; word < 65536; word++) {
    const counts = noCounts();
    encodeInRange(to, values.subarray(word, word + 1), counts);
    outcomes[word] = counts.overflowed > 0 ? OVERFLOWED : counts.underflowed > 0 ? UNDERFLOWED : counts.notFinite > 0 ? NOT_FINITE : ORDINARY;
  }
  const encoded = encodeInRange(to, values, noCounts());
  const convert = to === 'F32' ? lookUp32(new Uint32Array(encoded.buffer), outcomes) : lookUp16(new Uint16Array(encoded.buffer), outcomes);
  const bytesPerWord = PLAIN_TYPE_BYTES[to];
  return (bytes, counts, memory = new ReusedMemory()) => {
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    const result = memory.take(words.length * bytesPerWord);
    if (!convert(words, result)) countOutcomes(words, outcomes, counts);
    return result;
  };
}

/** Fills `result` with what becomes of `words`; answers whether all of them are ordinary. */
type LookUp = (words: Uint16Array, result: Uint8Array) => boolean;

/** Result and outcome come from one look-up, and outcomes are only joined: this loop is what converting a model takes. */
function lookUp16(encoded: Uint16Array, outcomes: Uint8Array): LookUp {
  const table = Uint32Array.from(encoded, (word, index) => word | ((outcomes[index] ?? 0) << 16));
  return (words, bytes) => {
    // Two words at a time, with half the loads and stores: about 1.5 times as fast.
    const pairs = new Uint32Array(words.buffer, words.byteOffset, words.length >>> 1);
    const result = new Uint32Array(bytes.buffer, bytes.byteOffset, pairs.length);
    let joined = 0;
    for (let index = 0; index < pairs.length; index++) {
      const pair = pairs[index] as number;
      const low = table[pair & 0xffff] as number;
      const high = table[pair >>> 16] as number;
      joined |= low | high;
      result[index] = (low & 0xffff) | (high << 16);
    }
    if (words.length % 2 === 1) {
      const entry = table[words[words.length - 1] as number] as number;
      joined |= entry;
      new Uint16Array(bytes.buffer, bytes.byteOffset, words.length)[words.length - 1] = entry;
    }
    return joined >>> 16 === ORDINARY;
  };
}

function lookUp32(table: Uint32Array, outcomes: Uint8Array): LookUp {
  return (words, bytes) => {
    const result = new Uint32Array(bytes.buffer, bytes.byteOffset, words.length);
    let joined = 0;
    for (let index = 0; index < words.length; index++) {
      const word = words[index] as number;
      joined |= outcomes[word] as number;
      result[index] = table[word] as number;
    }
    return joined === ORDINARY;
  };
}

function countOutcomes(words: Uint16Array, outcomes: Uint8Array, counts: RangeCounts): void {
  const tally = new Uint32Array(4);
  for (let index = 0; index < words.length; index++) {
    const outcome = outcomes[words[index] as number] as number;
    tally[outcome] = (tally[outcome] as number) + 1;
  }
  counts.overflowed += tally[OVERFLOWED] ?? 0;
  counts.underflowed += tally[UNDERFLOWED] ?? 0;
  counts.notFinite += tally[NOT_FINITE] ?? 0;
}

const LARGEST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/** Float64 to float32, counted and kept finite. */
function narrow(bytes: Uint8Array, counts: RangeCounts): Float32Array {
  const wide = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / PLAIN_TYPE_BYTES.F64);
  const values = Float32Array.from(wide);
  for (let index = 0; index < wide.length; index++) {
    const [value, narrowed] = [wide[index] ?? 0, values[index] ?? 0];
    if (Number.isFinite(value) && !Number.isFinite(narrowed)) {
      counts.overflowed++;
      values[index] = Math.sign(value) * LARGEST_FLOAT32;
    } else if (value !== 0 && narrowed === 0) counts.underflowed++;
  }
  return values;
}

/** What did not survive in one tensor. */
export interface RangeFinding extends Readonly<RangeCounts> {
  readonly tensor: string;
}

/** Sentences for people about what a change of type did; none where it did nothing that matters. */
export function describeRange(type: WrittenType, findings: readonly RangeFinding[]): string[] {
  const sentence = (key: keyof RangeCounts, what: (count: string) => string): string[] => {
    const touched = findings.filter((finding) => finding[key] > 0);
    if (touched.length === 0) return [];
    const total = touched.reduce((sum, finding) => sum + finding[key], 0);
    const names = touched.slice(0, 3).map(({ tensor }) => tensor).join(', ');
    const more = touched.length > 3 ? ` and ${touched.length - 3} more` : '';
    return [`${what(total.toLocaleString('en'))} (in ${names}${more}).`];
  };
  return [
    ...sentence('notFinite', (count) => `${count} weights of the source are infinite or no numbers, and are so in this file too`),
    ...sentence('overflowed', (count) => `${count} weights are too large for ${type} and were set to its largest number; BF16 or F32 would keep them`),
    ...sentence('underflowed', (count) => `${count} weights are too small for ${type} and became 0; ${type === 'F16' ? 'BF16 or F32' : 'F32'} would keep them`),
  ];
}
