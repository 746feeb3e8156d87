/**
 * Reads Thrift structures in the compact protocol, in which Parquet describes itself, under limits: nothing is taken
 * that the bytes at hand cannot hold (Thrift's specification, thrift-compact-protocol.md).
 */
import { FormatError } from '../support/errors';

/** A value: lists and structures nest. 64-bit numbers beyond 2^53 stay bigint. */
export type ThriftValue = boolean | number | bigint | Uint8Array | readonly ThriftValue[] | ThriftStruct;
/** Values by field number. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

/** Deeper than any Parquet file nests its descriptions. */
const MAX_DEPTH = 16;
const [STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12];

/** The structure at `offset` and where it ends. Raises FormatError for what is no such structure, or is cut off. */
export function readThriftStruct(bytes: Uint8Array, offset: number): { readonly struct: ThriftStruct; readonly end: number } {
  const reader = new ThriftReader(bytes, offset);
  return { struct: reader.struct(0), end: reader.at };
}

/** A field that is a whole number of 0 or more; undefined if it is absent. Raises FormatError for anything else. */
export function countField(struct: ThriftStruct, field: number): number | undefined {
  const value = struct.get(field);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new FormatError(`Field ${field} of its description is no count.`);
}

/** A field that is a structure; undefined if it is absent or something else. */
export function structField(struct: ThriftStruct, field: number): ThriftStruct | undefined {
  const value = struct.get(field);
  return value instanceof Map ? value : undefined;
}

/** The structures of a field that is a list. Raises FormatError for anything else. */
export function structList(struct: ThriftStruct, field: number): readonly ThriftStruct[] {
  const value = struct.get(field);
  if (!Array.isArray(value)) throw new FormatError(`Field ${field} of its description is no list.`);
  const items: readonly unknown[] = value;
  return items.map((item) => {
    if (item instanceof Map) return item as ThriftStruct;
    throw new FormatError(`Field ${field} of its description holds something other than structures.`);
  });
}

class ThriftReader {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  struct(depth: number): ThriftStruct {
    if (depth > MAX_DEPTH) throw new FormatError(`Its description nests more than ${MAX_DEPTH} levels deep.`);
    const fields = new Map<number, ThriftValue>();
    let field = 0;
    for (;;) {
      const head = this.byte();
      const type = head & 0x0f;
      if (type === STOP) return fields;
      field = head >> 4 === 0 ? Number(zigzag(this.varint(5))) : field + (head >> 4);
      fields.set(field, this.value(type, depth));
    }
  }

  private value(type: number, depth: number): ThriftValue {
    switch (type) {
      case TRUE:
        return true;
      case FALSE:
        return false;
      case BYTE:
        return (this.byte() << 24) >> 24;
      case I16:
      case I32:
        return Number(zigzag(this.varint(5)));
      case I64:
        return narrowed(zigzag(this.varint(10)));
      case DOUBLE:
        this.take(8);
        return 0;
      case BINARY:
        return this.take(Number(this.varint(5)));
      case LIST:
        return this.list(depth);
      case STRUCT:
        return this.struct(depth + 1);
      default:
        throw new FormatError(`Its description holds a value of the unknown type ${type}.`);
    }
  }

  private list(depth: number): readonly ThriftValue[] {
    if (depth > MAX_DEPTH) throw new FormatError(`Its description nests more than ${MAX_DEPTH} levels deep.`);
    const head = this.byte();
    const type = head & 0x0f;
    const count = head >> 4 === 15 ? Number(this.varint(5)) : head >> 4;
    // Every item takes at least a byte.
    if (count > this.bytes.length - this.at) throw this.cutOff(count);
    const items: ThriftValue[] = [];
    for (let index = 0; index < count; index++) items.push(type === TRUE || type === FALSE ? this.byte() === 1 : this.value(type, depth + 1));
    return items;
  }

  private byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw this.cutOff(1);
    return byte;
  }

  private take(count: number): Uint8Array {
    if (count > this.bytes.length - this.at) throw this.cutOff(count);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  private varint(mostBytes: number): bigint {
    let value = 0n;
    for (let index = 0; index < mostBytes; index++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if ((byte & 0x80) === 0) return value;
    }
    throw new FormatError(`Its description holds a number of more than ${mostBytes} bytes.`);
  }

  private cutOff(wanted: number): FormatError {
    return new FormatError(`Its description ends where ${wanted} more bytes were expected.`, { details: { offset: this.at } });
  }
}

function zigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n);
}

function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
