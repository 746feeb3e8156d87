/** Reads metadata values of GGUF files under limits: counts are checked against the bytes that are left. */
import { FormatError } from '../../support/errors';
import type { Cursor } from './cursor';
import { GGUF_VALUE_TYPES, type GgufEntry, type GgufNumberArray, type GgufValue, type GgufValueType } from './types';

const MAX_STRING_BYTES = 64 * 1024 * 1024;
/** Arrays of arrays exist in the format; nothing known nests deeper than two. */
const MAX_NESTING = 4;

/** Bytes of one value, at least, for types of variable size. */
const TYPE_BYTES: Readonly<Record<GgufValueType, number>> = {
  uint8: 1, int8: 1, uint16: 2, int16: 2, uint32: 4, int32: 4, float32: 4, bool: 1, string: 8, array: 12, uint64: 8,
  int64: 8, float64: 8,
};

type NumberType = Exclude<GgufValueType, 'bool' | 'string' | 'array'>;

/** The typed array that holds an array of numbers of each type. */
const NUMBER_ARRAYS: Readonly<Record<NumberType, (bytes: ArrayBuffer) => GgufNumberArray>> = {
  uint8: (bytes) => new Uint8Array(bytes),
  int8: (bytes) => new Int8Array(bytes),
  uint16: (bytes) => new Uint16Array(bytes),
  int16: (bytes) => new Int16Array(bytes),
  uint32: (bytes) => new Uint32Array(bytes),
  int32: (bytes) => new Int32Array(bytes),
  float32: (bytes) => new Float32Array(bytes),
  uint64: (bytes) => new BigUint64Array(bytes),
  int64: (bytes) => new BigInt64Array(bytes),
  float64: (bytes) => new Float64Array(bytes),
};

/** A 64-bit count from a file as a number of at most `limit`. `what` is for the message. */
export function toCount(cursor: Cursor, value: bigint, limit: number, what: string): number {
  if (value <= BigInt(limit)) return Number(value);
  throw damaged(cursor, `states ${value} ${what}; at most ${limit} are read`);
}

/** A length-prefixed string. */
export function readText(cursor: Cursor, limit: number, what: string): string {
  const length = toCount(cursor, cursor.uint64(), limit, `bytes for ${what}`);
  return cursor.utf8(length);
}

/** The type and value of one metadata entry. */
export function readEntry(cursor: Cursor, key: string): GgufEntry {
  const type = readType(cursor, key);
  if (type !== 'array') return { type, value: readScalar(cursor, type, key) };
  return readArray(cursor, key, 1);
}

function readType(cursor: Cursor, key: string): GgufValueType {
  const number = cursor.uint32();
  const type = GGUF_VALUE_TYPES[number];
  if (type === undefined) {
    throw damaged(cursor, `gives the metadata ${JSON.stringify(key)} the value type ${number}, which does not exist`);
  }
  return type;
}

function readArray(cursor: Cursor, key: string, depth: number): GgufEntry {
  if (depth > MAX_NESTING) {
    throw damaged(cursor, `nests lists in the metadata ${JSON.stringify(key)} more than ${MAX_NESTING} deep`);
  }
  const elementType = readType(cursor, key);
  const limit = Math.floor(cursor.remainingBytes / TYPE_BYTES[elementType]);
  const count = toCount(cursor, cursor.uint64(), limit, `values for the metadata ${JSON.stringify(key)}`);
  switch (elementType) {
    case 'array': {
      const values: GgufValue[] = [];
      for (let index = 0; index < count; index++) values.push(readArray(cursor, key, depth + 1).value);
      return { type: 'array', elementType, value: values };
    }
    case 'string': {
      const values: string[] = [];
      for (let index = 0; index < count; index++) values.push(readText(cursor, MAX_STRING_BYTES, key));
      return { type: 'array', elementType, value: values };
    }
    case 'bool':
      return { type: 'array', elementType, value: Array.from(cursor.bytes(count), (byte) => byte !== 0) };
    default:
      return {
        type: 'array',
        elementType,
        value: NUMBER_ARRAYS[elementType](cursor.bytes(count * TYPE_BYTES[elementType]).buffer),
      };
  }
}

function readScalar(cursor: Cursor, type: Exclude<GgufValueType, 'array'>, key: string): GgufValue {
  switch (type) {
    case 'bool':
      return cursor.uint8() !== 0;
    case 'string':
      return readText(cursor, MAX_STRING_BYTES, `the metadata ${JSON.stringify(key)}`);
    default: {
      const [value = 0] = NUMBER_ARRAYS[type](cursor.bytes(TYPE_BYTES[type]).buffer);
      return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
  }
}

function damaged(cursor: Cursor, what: string): FormatError {
  return new FormatError(`${cursor.file.name} ${what}.`, {
    hint: 'The file is damaged or was written by a faulty program: copy or download it again.',
    details: { file: cursor.file.path, offset: cursor.position },
  });
}
