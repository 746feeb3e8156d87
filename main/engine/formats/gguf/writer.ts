/**
 * Writes a GGUF file (version 3, little-endian) as a stream: the header first, known from the shapes alone, then one
 * tensor at a time, so memory is bounded by the largest tensor. Equal inputs give equal bytes.
 */
import { ShapeError, UnsupportedError } from '../../support/errors';
import { throwIfCancelled } from '../../support/progress';
import { hasLosses, noCounts } from '../../tensors/range';
import { describeShape, elementCount } from '../../tensors/shape';
import { alignUp, type StreamOptions } from '../tensor-stream';
import { writeWholeFile } from '../whole-file';
import { encodeBlocks, encodedBytes, ggufTypeNumber, isBlockType, type GgufWrittenType } from './blocks';
import { GGUF_MAGIC } from './reader';
import type { GgufEntry } from './types';
import { ByteBuilder, writeEntry } from './value-writer';

/** Every tensor's data starts at a multiple of this many bytes. */
export const GGUF_ALIGNMENT = 32;
const VERSION = 3;
/** Values are encoded in pieces of this many, a multiple of every block, so that a cancelled export stops soon. */
const CHUNK_ELEMENTS = 1 << 20;

/** A tensor for a GGUF file. Its rows are whole blocks of its type. */
export interface GgufTensorToWrite {
  readonly name: string;
  readonly type: GgufWrittenType;
  readonly shape: readonly number[];
  /** Values in row-major order. Called once. */
  readonly read: () => Promise<Float32Array>;
}

/** Bytes that a tensor takes in a file, padding included. */
export function ggufTensorBytes({ type, shape }: Pick<GgufTensorToWrite, 'type' | 'shape'>): number {
  return alignUp(encodedBytes(type, elementCount(shape)), GGUF_ALIGNMENT);
}

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
  for (const tensor of tensors) {
    builder.text(tensor.name);
    builder.uint32(tensor.shape.length);
    for (const size of [...tensor.shape].reverse()) builder.uint64(size);
    builder.uint32(ggufTypeNumber(tensor.type));
    builder.uint64(offset);
    offset += ggufTensorBytes(tensor);
  }
  builder.bytes(new Uint8Array(alignUp(builder.sizeBytes, GGUF_ALIGNMENT) - builder.sizeBytes));
  return builder.build();
}

/**
 * Writes metadata and tensors in the order given. `entries` must not hold `general.alignment`. Answers the file's
 * size. Throws ShapeError if a tensor gives another number of values than its shape says, UnsupportedError if values
 * for a block type are infinite or no numbers; nothing is left then.
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
      const values = await tensor.read();
      requireCount(tensor, values.length);
      const counts = noCounts();
      for (let at = 0; at < values.length; at += CHUNK_ELEMENTS) {
        throwIfCancelled(options.signal);
        const piece = values.subarray(at, at + CHUNK_ELEMENTS);
        requireFinite(tensor, piece);
        await file.write(encodeBlocks(tensor.type, piece, counts));
      }
      await file.write(new Uint8Array(alignUp(file.position, GGUF_ALIGNMENT) - file.position));
      if (hasLosses(counts)) options.onRange?.({ tensor: tensor.name, ...counts });
      options.onBytes?.(file.position);
    }
  });
}

function requireCount({ name, shape }: GgufTensorToWrite, found: number): void {
  const expected = elementCount(shape);
  if (found === expected) return;
  throw new ShapeError(`Tensor ${name} should have ${expected} values for its shape ${describeShape(shape)} and has ${found}.`, {
    details: { tensor: name, expected: String(expected), actual: String(found) },
  });
}

/** One infinite value would make a whole block of its neighbours infinite or zero. */
function requireFinite({ name, type }: GgufTensorToWrite, values: Float32Array): void {
  if (!isBlockType(type)) return;
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += (values[index] as number) * 0;
  if (sum === 0) return;
  throw new UnsupportedError(`Tensor ${name} holds weights that are infinite or no numbers, which ${type} cannot store.`, {
    hint: 'The model is damaged: get it again. F32 would keep these weights as they are.',
    details: { feature: type, found: name },
  });
}
