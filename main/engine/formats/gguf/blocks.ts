/**
 * The element types of GGUF tensors as one table: how their blocks turn into float32, bit for bit as the reference
 * (github.com/ggml-org/llama.cpp, gguf-py/gguf/quants.py), and back where they are written. Types that are not decoded
 * are known by name only.
 */
import { PLAIN_TYPE_BYTES, decodePlain, type PlainType, type WrittenType } from '../../tensors/elements';
import type { StoredType } from '../../tensors/handle';
import { encodeInRange, type RangeCounts } from '../../tensors/range';
import type { BlockLayout } from '../stored-tensor';
import { IQ4_NL, IQ4_XS } from './blocks/iq4';
import { Q2_K, Q3_K } from './blocks/low-k';
import { Q4_K, Q5_K } from './blocks/q4-q5-k';
import { Q6_K } from './blocks/q6-k';
import { Q8_0 } from './blocks/q8-0';
import { Q4_0, Q4_1, Q5_0, Q5_1 } from './blocks/small-blocks';

/** Names of the tensor types by their number in the file (ggml.h, enum ggml_type); gaps are types that were removed. */
const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 6: 'Q5_0', 7: 'Q5_1', 8: 'Q8_0', 9: 'Q8_1', 10: 'Q2_K', 11: 'Q3_K',
  12: 'Q4_K', 13: 'Q5_K', 14: 'Q6_K', 15: 'Q8_K', 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S', 20: 'IQ4_NL',
  21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS', 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M', 30: 'BF16',
  34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4',
};

function plain(type: PlainType): BlockLayout {
  return { blockElements: 1, blockBytes: PLAIN_TYPE_BYTES[type], decode: (bytes, target, at) => decodePlain(type, bytes, target, at) };
}

const WRITTEN_PLAIN = { F32: plain('F32'), F16: plain('F16'), BF16: plain('BF16') } as const;
const WRITTEN_BLOCKS = { Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K } as const;
const WRITTEN: Readonly<Record<GgufWrittenType, BlockLayout>> = { ...WRITTEN_PLAIN, ...WRITTEN_BLOCKS };

type BlockType = keyof typeof WRITTEN_BLOCKS;
/** A type that is written. */
export type GgufWrittenType = WrittenType | BlockType;

/** Layouts of the types that are decoded. */
export const GGUF_LAYOUTS: Readonly<Partial<Record<StoredType, BlockLayout>>> = {
  ...WRITTEN,
  F64: plain('F64'), I8: plain('I8'), I16: plain('I16'), I32: plain('I32'), I64: plain('I64'),
  Q2_K, Q3_K, IQ4_NL, IQ4_XS,
};

/** The name of a tensor type, `type 99` if the number is unknown. */
export function ggufTypeName(number: number): string {
  return TYPE_NAMES[number] ?? `type ${number}`;
}

/** The number of a tensor type in a file. */
export function ggufTypeNumber(type: GgufWrittenType): number {
  return Number(Object.keys(TYPE_NAMES).find((number) => TYPE_NAMES[Number(number)] === type));
}

/** The stored type of a name if it is decoded, else null. */
export function decodedType(name: string): StoredType | null {
  for (const type of Object.keys(GGUF_LAYOUTS) as StoredType[]) if (type === name) return type;
  return null;
}

/** Whether a stored type is one that `encodeBlocks` makes. */
export function isGgufWrittenType(type: StoredType): type is GgufWrittenType {
  return type in WRITTEN;
}

/** Whether a type keeps several weights in a block with one scale. */
export function isBlockType(type: GgufWrittenType): type is BlockType {
  return type in WRITTEN_BLOCKS;
}

/** Elements that rows of a type must be a multiple of. */
export function blockElements(type: GgufWrittenType): number {
  return WRITTEN[type].blockElements;
}

/** Bytes of `count` elements, a multiple of the type's block. */
export function encodedBytes(type: GgufWrittenType, count: number): number {
  return (count / WRITTEN[type].blockElements) * WRITTEN[type].blockBytes;
}

/**
 * Whole blocks of values in their stored form; what a type whose elements stand alone cannot hold is added to `counts`.
 * Block types take finite values only. For F32 a view of the same memory.
 */
export function encodeBlocks(type: GgufWrittenType, values: Float32Array, counts: RangeCounts): Uint8Array {
  if (!isBlockType(type)) return encodeInRange(type, values, counts);
  const bytes = new Uint8Array(encodedBytes(type, values.length));
  WRITTEN_BLOCKS[type].encode(values, bytes);
  return bytes;
}
