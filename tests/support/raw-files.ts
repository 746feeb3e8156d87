/** Hand-made model files, right or wrong on purpose: the writers of the program would refuse to make these. */

/** A safetensors file from any header and `dataBytes` zero bytes. */
export function rawSafetensors(header: string | object, dataBytes: number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

/** Little-endian pieces of a GGUF file. */
export const le = {
  u8: (value: number): Buffer => Buffer.from([value]),
  u32: (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  },
  u64: (value: number | bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  },
  text: (value: string): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([le.u64(bytes.length), bytes]);
  },
};

/** A GGUF file of version 3 from encoded entries and tensor infos, padded to 32 bytes, with `dataBytes` zero bytes. */
export function rawGguf(entries: readonly Buffer[], tensors: readonly Buffer[] = [], dataBytes = 0): Buffer {
  const head = Buffer.concat([
    Buffer.from('GGUF'), le.u32(3), le.u64(tensors.length), le.u64(entries.length), ...entries, ...tensors,
  ]);
  return Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), Buffer.alloc(dataBytes)]);
}

/** An entry: key, value type number, and the encoded value. */
export function rawEntry(key: string, type: number, ...value: readonly Buffer[]): Buffer {
  return Buffer.concat([le.text(key), le.u32(type), ...value]);
}

/** A tensor info; `dims` innermost first as in the file. */
export function rawTensor(name: string, dims: readonly number[], type: number, offset: number): Buffer {
  return Buffer.concat([le.text(name), le.u32(dims.length), ...dims.map((size) => le.u64(size)), le.u32(type), le.u64(offset)]);
}
