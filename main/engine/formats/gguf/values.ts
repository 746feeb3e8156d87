/** Metadata values of GGUF files: reading them under limits, writing them, and guessing the type of plain values. */
import { FormatError, InternalError } from '../../support/errors';
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

/**
 * The type that a plain value is written as: whole numbers as uint32 (int32 when negative), other numbers as
 * float32, typed arrays by their own type, an empty plain list as strings.
 */
export function inferEntry(value: GgufValue): GgufEntry {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (typeof value === 'bigint') return { type: value < 0n ? 'int64' : 'uint64', value };
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) return { type: 'float32', value };
    return { type: value < 0 ? 'int32' : 'uint32', value };
  }
  if (ArrayBuffer.isView(value)) return { type: 'array', elementType: numberArrayType(value), value };
  const [first = ''] = value;
  return { type: 'array', elementType: inferEntry(first).type, value };
}

function numberArrayType(values: GgufNumberArray): NumberType {
  if (values instanceof Uint8Array) return 'uint8';
  if (values instanceof Int8Array) return 'int8';
  if (values instanceof Uint16Array) return 'uint16';
  if (values instanceof Int16Array) return 'int16';
  if (values instanceof Uint32Array) return 'uint32';
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Float64Array) return 'float64';
  return values instanceof BigUint64Array ? 'uint64' : 'int64';
}

/** A growing buffer of little-endian values: headers are built in memory before they are written. */
export class ByteBuilder {
  private readonly parts: Uint8Array[] = [];
  private length = 0;
  private readonly encoder = new TextEncoder();

  get sizeBytes(): number {
    return this.length;
  }

  bytes(part: Uint8Array): void {
    this.parts.push(part);
    this.length += part.byteLength;
  }

  uint32(value: number): void {
    this.bytes(new Uint8Array(Uint32Array.of(value).buffer));
  }

  uint64(value: number | bigint): void {
    this.bytes(new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  }

  text(value: string): void {
    const encoded = this.encoder.encode(value);
    this.uint64(encoded.byteLength);
    this.bytes(encoded);
  }

  build(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.byteLength;
    }
    return whole;
  }
}

/** Appends type and value of an entry. */
export function writeEntry(builder: ByteBuilder, entry: GgufEntry): void {
  builder.uint32(GGUF_VALUE_TYPES.indexOf(entry.type));
  writeValue(builder, entry);
}

function writeValue(builder: ByteBuilder, { type, elementType, value }: GgufEntry): void {
  if (type === 'array') return writeArray(builder, elementType, value);
  if (type === 'string') return builder.text(String(value));
  if (type === 'bool') return builder.bytes(Uint8Array.of(value === true ? 1 : 0));
  builder.bytes(encodeNumbers(type, [Number(value)], [value]));
}

function writeArray(builder: ByteBuilder, elementType: GgufValueType | undefined, value: GgufValue): void {
  if (elementType === undefined || typeof value !== 'object') {
    throw new InternalError(`A list of the GGUF metadata has no element type or no values (${typeof value}).`);
  }
  builder.uint32(GGUF_VALUE_TYPES.indexOf(elementType));
  builder.uint64(value.length);
  if (ArrayBuffer.isView(value)) {
    builder.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else {
    for (const element of value) {
      writeValue(builder, elementType === 'array' ? inferEntry(element) : { type: elementType, value: element });
    }
  }
}

function encodeNumbers(type: NumberType, numbers: readonly number[], values: readonly GgufValue[]): Uint8Array {
  switch (type) {
    case 'uint64':
    case 'int64': {
      const wide = values.map((value) => (typeof value === 'bigint' ? value : BigInt(Number(value))));
      return new Uint8Array((type === 'uint64' ? BigUint64Array.from(wide) : BigInt64Array.from(wide)).buffer);
    }
    case 'uint8':
      return Uint8Array.from(numbers);
    case 'int8':
      return new Uint8Array(Int8Array.from(numbers).buffer);
    case 'uint16':
      return new Uint8Array(Uint16Array.from(numbers).buffer);
    case 'int16':
      return new Uint8Array(Int16Array.from(numbers).buffer);
    case 'uint32':
      return new Uint8Array(Uint32Array.from(numbers).buffer);
    case 'int32':
      return new Uint8Array(Int32Array.from(numbers).buffer);
    case 'float32':
      return new Uint8Array(Float32Array.from(numbers).buffer);
    case 'float64':
      return new Uint8Array(Float64Array.from(numbers).buffer);
  }
}

function damaged(cursor: Cursor, what: string): FormatError {
  return new FormatError(`${cursor.file.name} ${what}.`, {
    hint: 'The file is damaged or was written by a faulty program: copy or download it again.',
    details: { file: cursor.file.path, offset: cursor.position },
  });
}
