/**
 * The element types of GGUF tensors and how their blocks turn into float32, bit for bit as the reference
 * (github.com/ggml-org/llama.cpp, gguf-py/gguf/quants.py). Types that are not decoded are known by name only.
 */
import { decodePlain } from '../../tensors/elements';
import { float16Value } from '../../tensors/half';
import type { StoredType } from '../../tensors/handle';
import type { BlockLayout } from '../stored-tensor';

/** Names of the tensor types by their number in the file (ggml.h, enum ggml_type); gaps are types that were removed. */
const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 6: 'Q5_0', 7: 'Q5_1', 8: 'Q8_0', 9: 'Q8_1', 10: 'Q2_K', 11: 'Q3_K',
  12: 'Q4_K', 13: 'Q5_K', 14: 'Q6_K', 15: 'Q8_K', 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S', 20: 'IQ4_NL',
  21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS', 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M', 30: 'BF16',
  34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4',
};

/** The number of an element type that is written. */
export const WRITTEN_TYPE_NUMBERS = { F32: 0, F16: 1 } as const;

function plain(type: 'F32' | 'F16' | 'BF16' | 'F64' | 'I8' | 'I16' | 'I32' | 'I64', blockBytes: number): BlockLayout {
  return { blockElements: 1, blockBytes, decode: (bytes, target, at) => decodePlain(type, bytes, target, at) };
}

/** Layouts of the types that are decoded. */
export const GGUF_LAYOUTS: Readonly<Partial<Record<StoredType, BlockLayout>>> = {
  F32: plain('F32', 4),
  F16: plain('F16', 2),
  BF16: plain('BF16', 2),
  F64: plain('F64', 8),
  I8: plain('I8', 1),
  I16: plain('I16', 2),
  I32: plain('I32', 4),
  I64: plain('I64', 8),
  Q8_0: { blockElements: 32, blockBytes: 34, decode: decodeQ8_0 },
  Q4_0: { blockElements: 32, blockBytes: 18, decode: decodeQ4_0 },
  Q4_1: { blockElements: 32, blockBytes: 20, decode: decodeQ4_1 },
};

/** The name of a tensor type, `type 99` if the number is unknown. */
export function ggufTypeName(number: number): string {
  return TYPE_NAMES[number] ?? `type ${number}`;
}

/** The stored type of a name if it is decoded, else null. */
export function decodedType(name: string): StoredType | null {
  for (const type of Object.keys(GGUF_LAYOUTS) as StoredType[]) if (type === name) return type;
  return null;
}

/** 16-bit scale, then 32 signed bytes: scale * q. */
function decodeQ8_0(bytes: Uint8Array, target: Float32Array, at: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let out = at;
  for (let block = 0; block < bytes.length; block += 34) {
    const scale = float16Value(view.getUint16(block, true));
    for (let index = 2; index < 34; index++) target[out++] = scale * view.getInt8(block + index);
  }
}

/** 16-bit scale, then 16 bytes whose low halves are elements 0-15 and high halves 16-31: scale * (q - 8). */
function decodeQ4_0(bytes: Uint8Array, target: Float32Array, at: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let out = at;
  for (let block = 0; block < bytes.length; block += 18) {
    const scale = float16Value(view.getUint16(block, true));
    for (let index = 0; index < 16; index++) {
      const pair = view.getUint8(block + 2 + index);
      target[out + index] = scale * ((pair & 15) - 8);
      target[out + 16 + index] = scale * ((pair >> 4) - 8);
    }
    out += 32;
  }
}

/** 16-bit scale and minimum, then halves as in Q4_0: scale * q + minimum. The product is exact, the sum rounds once. */
function decodeQ4_1(bytes: Uint8Array, target: Float32Array, at: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let out = at;
  for (let block = 0; block < bytes.length; block += 20) {
    const scale = float16Value(view.getUint16(block, true));
    const minimum = float16Value(view.getUint16(block + 2, true));
    for (let index = 0; index < 16; index++) {
      const pair = view.getUint8(block + 4 + index);
      target[out + index] = scale * (pair & 15) + minimum;
      target[out + 16 + index] = scale * (pair >> 4) + minimum;
    }
    out += 32;
  }
}
