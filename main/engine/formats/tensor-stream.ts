/** What both writers share: a tensor whose values come when their turn comes, and the loop that streams them. */
import { ShapeError } from '../support/errors';
import { throwIfCancelled } from '../support/progress';
import type { WrittenType } from '../tensors/elements';
import { encodeInRange, hasLosses, noCounts, type RangeFinding } from '../tensors/range';
import { describeShape, elementCount } from '../tensors/shape';
import type { WholeFile } from './whole-file';

/** A tensor to be written: type and shape fix its place in the file, so the header can come first. */
export interface TensorToWrite<Type extends WrittenType = WrittenType> {
  readonly name: string;
  readonly type: Type;
  readonly shape: readonly number[];
  /** Values in row-major order. Called once. */
  readonly read: () => Promise<Float32Array>;
}

/** Options of the streaming writers. */
export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the file's size so far after each tensor. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Called for every tensor of which some values do not survive in the type that they are written in. */
  readonly onRange?: ((finding: RangeFinding) => void) | undefined;
}

/** Values are encoded in pieces of this many, so that only one float32 copy of a tensor is in memory. */
const CHUNK_ELEMENTS = 1 << 20;

/**
 * Appends the data of all tensors, each padded with zeros to a multiple of `alignment`.
 * Throws ShapeError if a tensor gives another number of values than its shape says.
 */
export async function streamTensors(
  file: WholeFile,
  tensors: readonly TensorToWrite[],
  alignment: number,
  options: StreamOptions,
): Promise<void> {
  for (const tensor of tensors) {
    throwIfCancelled(options.signal);
    const values = await tensor.read();
    const expected = elementCount(tensor.shape);
    if (values.length !== expected) {
      throw new ShapeError(
        `Tensor ${tensor.name} should have ${expected} values for its shape ${describeShape(tensor.shape)} and has ` +
          `${values.length}.`,
        { details: { tensor: tensor.name, expected: String(expected), actual: String(values.length) } },
      );
    }
    const counts = noCounts();
    for (let at = 0; at < values.length; at += CHUNK_ELEMENTS) {
      throwIfCancelled(options.signal);
      await file.write(encodeInRange(tensor.type, values.subarray(at, at + CHUNK_ELEMENTS), counts));
    }
    if (hasLosses(counts)) options.onRange?.({ tensor: tensor.name, ...counts });
    await file.write(new Uint8Array(alignUp(file.position, alignment) - file.position));
    options.onBytes?.(file.position);
  }
}

/** The next multiple of `alignment` from `bytes` on. */
export function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
