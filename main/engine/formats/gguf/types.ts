/** The vocabulary of GGUF files: value types of the metadata and what a value looks like in memory. */

/** Names of the metadata value types, at the position that is their number in the file. */
export const GGUF_VALUE_TYPES = [
  'uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'float32', 'bool', 'string', 'array', 'uint64', 'int64',
  'float64',
] as const;
export type GgufValueType = (typeof GGUF_VALUE_TYPES)[number];

/** Arrays of numbers of at most 32 bits, and of floats, are typed arrays, which also tell their element type. */
export type GgufNumberArray =
  | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array
  | BigUint64Array | BigInt64Array;

/**
 * One metadata value. 64-bit integers are numbers where that is exact, else bigint; other numbers are numbers;
 * arrays of numbers are typed arrays; arrays of strings, booleans and arrays are plain arrays.
 */
export type GgufValue =
  | number | bigint | boolean | string | GgufNumberArray
  | readonly string[] | readonly boolean[] | readonly GgufValue[];

/** Metadata by key, in file order. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** A value with the type it has in a file; `elementType` is given for arrays. */
export interface GgufEntry {
  readonly type: GgufValueType;
  readonly elementType?: GgufValueType;
  readonly value: GgufValue;
}
