/**
 * Writes a GGUF file (version 3, little-endian) as a stream: the header first, known from the shapes alone, then one
 * tensor at a time, so memory is bounded by the largest tensor. Equal inputs give equal bytes.
 */
import { PLAIN_TYPE_BYTES } from '../../tensors/elements';
import { elementCount } from '../../tensors/shape';
import { alignUp, streamTensors, type StreamOptions, type TensorToWrite } from '../tensor-stream';
import { writeWholeFile } from '../whole-file';
import { WRITTEN_TYPE_NUMBERS } from './blocks';
import { GGUF_MAGIC } from './reader';
import type { GgufEntry } from './types';
import { ByteBuilder, writeEntry } from './value-writer';

/** Every tensor's data starts at a multiple of this many bytes. */
export const GGUF_ALIGNMENT = 32;
const VERSION = 3;

/** A tensor for a GGUF file; bfloat16 is left out because not every reader computes with it. */
export type GgufTensorToWrite = TensorToWrite<'F32' | 'F16'>;

/** The bytes that come before the data, padded to the alignment. */
export function encodeGgufHeader(
  entries: ReadonlyMap<string, GgufEntry>,
  tensors: readonly GgufTensorToWrite[],
): Uint8Array {
  const builder = new ByteBuilder();
  builder.uint32(GGUF_MAGIC);
  builder.uint32(VERSION);
  builder.uint64(tensors.length);
  builder.uint64(entries.size);
  for (const [key, entry] of entries) {
    builder.text(key);
    writeEntry(builder, entry);
  }
  let offset = 0;
  for (const { name, type, shape } of tensors) {
    builder.text(name);
    builder.uint32(shape.length);
    for (const size of [...shape].reverse()) builder.uint64(size);
    builder.uint32(WRITTEN_TYPE_NUMBERS[type]);
    builder.uint64(offset);
    offset += alignUp(elementCount(shape) * PLAIN_TYPE_BYTES[type], GGUF_ALIGNMENT);
  }
  builder.bytes(new Uint8Array(alignUp(builder.sizeBytes, GGUF_ALIGNMENT) - builder.sizeBytes));
  return builder.build();
}

/**
 * Writes metadata and tensors in the order given. `entries` must not hold `general.alignment`. Answers the file's
 * size. Throws ShapeError if a tensor gives another number of values than its shape says; nothing is left then.
 */
export async function writeGguf(
  path: string,
  entries: ReadonlyMap<string, GgufEntry>,
  tensors: readonly GgufTensorToWrite[],
  options: StreamOptions = {},
): Promise<number> {
  return writeWholeFile(path, async (file) => {
    await file.write(encodeGgufHeader(entries, tensors));
    await streamTensors(file, tensors, GGUF_ALIGNMENT, options);
  });
}
