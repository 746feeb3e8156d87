/** Where a sound GGUF header keeps its counts, lengths, types and offsets: the places at which damage hurts most. */
import { GGUF_VALUE_TYPES } from '../../main/engine/formats/gguf/types';

const BYTES: Readonly<Record<string, number>> = { uint8: 1, int8: 1, uint16: 2, int16: 2, uint32: 4, int32: 4, float32: 4, bool: 1, uint64: 8, int64: 8, float64: 8 };

export interface GgufFields {
  readonly fields: readonly number[];
  /** Bytes of the header without its padding. */
  readonly headerBytes: number;
}

/** Walks the header of a file that our own writer made. */
export function ggufFields(bytes: Buffer): GgufFields {
  const fields: number[] = [4, 8, 16];
  let at = 24;
  const u32 = (): number => {
    fields.push(at);
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const u64 = (): number => {
    fields.push(at);
    at += 8;
    return Number(bytes.readBigUInt64LE(at - 8));
  };
  const text = (): void => {
    const length = u64();
    at += length;
  };
  const value = (type: string): void => {
    if (type === 'string') text();
    else if (type === 'array') {
      const element = GGUF_VALUE_TYPES[u32()] ?? '';
      for (let left = u64(); left > 0; left--) value(element);
    } else at += BYTES[type] ?? 0;
  };
  for (let left = Number(bytes.readBigUInt64LE(16)); left > 0; left--) {
    text();
    value(GGUF_VALUE_TYPES[u32()] ?? '');
  }
  for (let left = Number(bytes.readBigUInt64LE(8)); left > 0; left--) {
    text();
    for (let axes = u32(); axes > 0; axes--) u64();
    u32();
    u64();
  }
  return { fields, headerBytes: at };
}
