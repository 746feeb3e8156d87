/** What both writers share: a tensor whose values come when their turn comes, and what they tell while they write. */
import type { WrittenType } from '../tensors/elements';
import type { RangeFinding } from '../tensors/range';

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

/** The next multiple of `alignment` from `bytes` on. */
export function alignUp(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
