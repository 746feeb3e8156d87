/**
 * Stored elements to float32 and back, for the types whose elements stand alone (GGUF's blocks are decoded beside
 * their format). Byte order is little-endian, as in both file formats and on every machine this program runs on.
 */
import { UnsupportedError } from '../support/errors';
import type { StoredType } from './handle';
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from './half';

/** Types whose elements stand alone. */
export type PlainType = Extract<
  StoredType,
  'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'U64' | 'I32' | 'U32' | 'I16' | 'U16' | 'I8' | 'U8' | 'BOOL' | 'F8_E4M3' | 'F8_E5M2' | 'F8_E8M0'
>;

/** Bytes of one element. */
export const PLAIN_TYPE_BYTES: Readonly<Record<PlainType, number>> = {
  F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, U64: 8, I32: 4, U32: 4, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1,
  F8_E4M3: 1, F8_E5M2: 1, F8_E8M0: 1,
};

/** Types that weights can be written in. */
export type WrittenType = 'F32' | 'F16' | 'BF16';

/**
 * Decodes whole elements into `target` from index `at`. `bytes` may start anywhere in its buffer.
 * Integers and F64 are rounded to float32. Throws UnsupportedError for 8-bit floats: without the scales that such
 * files keep apart, their values mean nothing.
 */
export function decodePlain(type: PlainType, bytes: Uint8Array, target: Float32Array, at: number): void {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.from(bytes);
  const { buffer, byteOffset } = aligned;
  const count = aligned.byteLength / PLAIN_TYPE_BYTES[type];
  switch (type) {
    case 'F64':
      return target.set(new Float64Array(buffer, byteOffset, count), at);
    case 'F32':
      return target.set(new Float32Array(buffer, byteOffset, count), at);
    case 'F16':
      return decodeFloat16(new Uint16Array(buffer, byteOffset, count), target, at);
    case 'BF16':
      return decodeBfloat16(new Uint16Array(buffer, byteOffset, count), target, at);
    case 'I64':
    case 'U64': {
      const values = type === 'I64' ? new BigInt64Array(buffer, byteOffset, count) : new BigUint64Array(buffer, byteOffset, count);
      for (let index = 0; index < count; index++) target[at + index] = Number(values[index]);
      return;
    }
    case 'I32':
      return target.set(new Int32Array(buffer, byteOffset, count), at);
    case 'U32':
      return target.set(new Uint32Array(buffer, byteOffset, count), at);
    case 'U16':
      return target.set(new Uint16Array(buffer, byteOffset, count), at);
    case 'I16':
      return target.set(new Int16Array(buffer, byteOffset, count), at);
    case 'I8':
      return target.set(new Int8Array(buffer, byteOffset, count), at);
    case 'U8':
    case 'BOOL':
      return target.set(aligned, at);
    case 'F8_E4M3':
    case 'F8_E5M2':
    case 'F8_E8M0':
      throw new UnsupportedError(`Numbers in ${type} are not read.`, { details: { feature: 'element type', found: type } });
  }
}

/** The elements in the stored form of `type`; for F32 a view of the same memory, else new memory. */
export function encodePlain(type: WrittenType, values: Float32Array): Uint8Array {
  switch (type) {
    case 'F32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'F16': {
      const words = new Uint16Array(values.length);
      encodeFloat16(values, words);
      return new Uint8Array(words.buffer);
    }
    case 'BF16': {
      const words = new Uint16Array(values.length);
      encodeBfloat16(values, words);
      return new Uint8Array(words.buffer);
    }
  }
}

/** Narrows a name from a file to a type that can be decoded. Throws UnsupportedError with the name. */
export function requirePlainType(name: string, where: string): PlainType {
  for (const type of Object.keys(PLAIN_TYPE_BYTES) as PlainType[]) if (type === name) return type;
  throw new UnsupportedError(`${where} is stored as ${name}, which this program does not read.`, {
    hint: 'Use the original model in F32, F16 or BF16 instead of a compressed form of it.',
    details: { feature: 'element type', found: name },
  });
}
