/** Writes metadata values of GGUF files, and finds the type to write a plain value as. */
import { InternalError } from '../../support/errors';
import { GGUF_VALUE_TYPES, type GgufEntry, type GgufNumberArray, type GgufValue, type GgufValueType } from './types';

type NumberType = Exclude<GgufValueType, 'bool' | 'string' | 'array'>;

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
  private buffer = new Uint8Array(1 << 16);
  private view = new DataView(this.buffer.buffer);
  private length = 0;
  private readonly encoder = new TextEncoder();

  get sizeBytes(): number {
    return this.length;
  }

  bytes(part: Uint8Array): void {
    const at = this.grow(part.byteLength);
    this.buffer.set(part, at);
  }

  uint8(value: number): void {
    const at = this.grow(1);
    this.view.setUint8(at, value);
  }

  uint16(value: number): void {
    const at = this.grow(2);
    this.view.setUint16(at, value, true);
  }

  uint32(value: number): void {
    const at = this.grow(4);
    this.view.setUint32(at, value, true);
  }

  uint64(value: number | bigint): void {
    const at = this.grow(8);
    this.view.setBigUint64(at, BigInt(value), true);
  }

  float32(value: number): void {
    const at = this.grow(4);
    this.view.setFloat32(at, value, true);
  }

  float64(value: number): void {
    const at = this.grow(8);
    this.view.setFloat64(at, value, true);
  }

  /** UTF-8 with its length in front. */
  text(value: string): void {
    const encoded = this.encoder.encode(value);
    this.uint64(encoded.byteLength);
    this.bytes(encoded);
  }

  /** A copy of what was appended. */
  build(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  /** Makes room for `count` bytes more and answers where they start. It may replace the buffer, so it goes first. */
  private grow(count: number): number {
    const start = this.length;
    this.length += count;
    if (this.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, this.buffer.length * 2));
      larger.set(this.buffer);
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    return start;
  }
}

/** Appends type and value of an entry. */
export function writeEntry(builder: ByteBuilder, entry: GgufEntry): void {
  builder.uint32(GGUF_VALUE_TYPES.indexOf(entry.type));
  writeValue(builder, entry);
}

function writeValue(builder: ByteBuilder, { type, elementType, value }: GgufEntry): void {
  switch (type) {
    case 'array':
      return writeArray(builder, elementType, value);
    case 'string':
      return builder.text(String(value));
    case 'bool':
      return builder.uint8(value === true ? 1 : 0);
    case 'uint8':
    case 'int8':
      return builder.uint8(Number(value));
    case 'uint16':
    case 'int16':
      return builder.uint16(Number(value));
    case 'uint32':
    case 'int32':
      return builder.uint32(Number(value));
    case 'uint64':
    case 'int64':
      return builder.uint64(typeof value === 'bigint' ? value : Number(value));
    case 'float32':
      return builder.float32(Number(value));
    case 'float64':
      return builder.float64(Number(value));
  }
}

function writeArray(builder: ByteBuilder, elementType: GgufValueType | undefined, value: GgufValue): void {
  if (elementType === undefined || typeof value !== 'object') {
    throw new InternalError(`A list of the GGUF metadata has no element type or no values (${typeof value}).`);
  }
  builder.uint32(GGUF_VALUE_TYPES.indexOf(elementType));
  builder.uint64(value.length);
  if (ArrayBuffer.isView(value)) {
    builder.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    return;
  }
  for (const element of value) {
    if (elementType === 'array') writeArray(builder, inferEntry(element).elementType, element);
    else writeValue(builder, { type: elementType, value: element });
  }
}
