/**
 * Writes a GGUF file (version 3, little-endian) as a stream: the header first, known from the shapes alone, then one
 * tensor at a time, so memory is bounded by the largest tensor. Equal inputs give equal bytes.
 */
import { throwIfCancelled } from '../../support/progress';
import { PLAIN_TYPE_BYTES, encodePlain } from '../../tensors/elements';
import { elementCount } from '../../tensors/shape';
import { ENCODE_CHUNK_ELEMENTS, readValues, type StreamOptions, type TensorToWrite } from '../safetensors/writer';
import { writeWholeFile } from '../whole-file';
import { WRITTEN_TYPE_NUMBERS } from './blocks';
import { GGUF_MAGIC } from './reader';
import type { GgufEntry } from './types';
import { ByteBuilder, writeEntry } from './values';

const ALIGNMENT = 32;
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
    offset += align(elementCount(shape) * PLAIN_TYPE_BYTES[type]);
  }
  builder.bytes(padding(builder.sizeBytes));
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
    for (const tensor of tensors) {
      throwIfCancelled(options.signal);
      const values = await readValues(tensor);
      for (let at = 0; at < values.length; at += ENCODE_CHUNK_ELEMENTS) {
        throwIfCancelled(options.signal);
        await file.write(encodePlain(tensor.type, values.subarray(at, at + ENCODE_CHUNK_ELEMENTS)));
      }
      await file.write(padding(file.position));
      options.onBytes?.(file.position);
    }
  });
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function padding(position: number): Uint8Array {
  return new Uint8Array(align(position) - position);
}
