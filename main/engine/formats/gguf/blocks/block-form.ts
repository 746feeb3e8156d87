/** What every kind of block says about itself, and the rounding of a block's scale to the 16 bits that it is kept in. */
import type { BlockLayout } from '../../stored-tensor';

/** A type that is written too: its size, how blocks become numbers, and numbers blocks. */
export interface WrittenBlocks extends BlockLayout {
  /** Stores whole blocks of finite values with as little error as the type allows. `bytes` has room for exactly them. */
  encode(values: Float32Array, bytes: Uint8Array): void;
}

/** Elements of a block of the K types. */
export const SUPER_BLOCK = 256;

const LARGEST_BITS = 0x7bff;

/** The bits of the float16 nearest to a finite value; what is too large becomes the largest, never infinity. */
export function nearestFloat16Bits(value: number): number {
  const magnitude = Math.abs(value);
  // From 2^-14 on numbers have 11 digits; below, all have the same unit, and the exponent's bits are 0.
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  const bits = ((exponent + 14) << 10) + Math.round(magnitude / 2 ** (exponent - 10));
  return (value < 0 ? 0x8000 : 0) | (bits > LARGEST_BITS || magnitude > 65504 ? LARGEST_BITS : bits);
}
