/**
 * Weights in blocks of 32 as ONNX Runtime's MatMulNBits and GatherBlockQuantized read them: unsigned numbers of 4 or 8
 * bits along each row, and for each block a float32 scale; in 4 bits also which number stands for 0.
 * Form: onnxruntime, docs/ContribOperators.md. A row that is no whole number of blocks is filled up with zeros.
 */

/** Weights that share a scale. */
export const BLOCK = 32;
/** What stands for 0 in 8 bits, where both operators assume this. */
const MIDDLE_OF_BYTE = 128;
const MOST_OF_NIBBLE = 15;
/** Shares of a block's range that are tried for its scale: a range cut short is finer for all but a few. */
const SHARES = [1, 0.93, 0.86, 0.79] as const;

export type BlockBits = 4 | 8;

/** Rows of a matrix in blocks. */
export interface BlockRows {
  /** [rows, blocks, 32 * bits / 8]; of two 4-bit numbers the first is in the lower half. */
  readonly numbers: Uint8Array;
  /** [rows, blocks] */
  readonly scales: Float32Array;
  /** [rows, ceil(blocks / 2)], packed likewise; empty in 8 bits. */
  readonly zeros: Uint8Array;
}

/** Blocks of a row of `width` weights. */
export function blocksOf(width: number): number {
  return Math.ceil(width / BLOCK);
}

/** Bytes of the three parts of a matrix. */
export function blockBytes(rows: number, width: number, bits: BlockBits): { readonly numbers: number; readonly scales: number; readonly zeros: number } {
  const blocks = blocksOf(width);
  return { numbers: (rows * blocks * BLOCK * bits) / 8, scales: rows * blocks * 4, zeros: bits === 8 ? 0 : rows * Math.ceil(blocks / 2) };
}

/** Encodes whole rows of `width` weights, row-major. Cost: each weight is looked at some ten times in 4 bits, twice in 8. */
export function encodeRows(values: Float32Array, width: number, bits: BlockBits): BlockRows {
  const rows = width === 0 ? 0 : values.length / width;
  const blocks = blocksOf(width);
  const sizes = blockBytes(rows, width, bits);
  const found: BlockRows = { numbers: new Uint8Array(sizes.numbers), scales: new Float32Array(rows * blocks), zeros: new Uint8Array(sizes.zeros) };
  const block = new Float32Array(BLOCK);
  const quantised = new Uint8Array(BLOCK);
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < blocks; at++) {
      const start = row * width + at * BLOCK;
      block.fill(0);
      block.set(values.subarray(start, Math.min(start + BLOCK, (row + 1) * width)));
      const index = row * blocks + at;
      if (bits === 8) {
        found.scales[index] = encodeBytes(block, found.numbers.subarray(index * BLOCK, (index + 1) * BLOCK));
        continue;
      }
      const { scale, zero } = encodeNibbles(block, quantised);
      found.scales[index] = scale;
      const place = row * Math.ceil(blocks / 2) + (at >> 1);
      found.zeros[place] = (found.zeros[place] ?? 0) | (zero << (4 * (at & 1)));
      for (let pair = 0; pair < BLOCK / 2; pair++) found.numbers[(index * BLOCK) / 2 + pair] = (quantised[2 * pair] ?? 0) | ((quantised[2 * pair + 1] ?? 0) << 4);
    }
  }
  return found;
}

/** The weights that encoded rows stand for, row-major. */
export function decodeRows({ numbers, scales, zeros }: BlockRows, width: number, bits: BlockBits): Float32Array {
  const blocks = blocksOf(width);
  const rows = blocks === 0 ? 0 : scales.length / blocks;
  const values = new Float32Array(rows * width);
  const perRow = Math.ceil(blocks / 2);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < width; column++) {
      const index = row * blocks + Math.floor(column / BLOCK);
      const at = index * BLOCK + (column % BLOCK);
      const number = bits === 8 ? (numbers[at] ?? 0) : ((numbers[at >> 1] ?? 0) >> (4 * (at & 1))) & MOST_OF_NIBBLE;
      const block = Math.floor(column / BLOCK);
      const zero = bits === 8 ? MIDDLE_OF_BYTE : ((zeros[row * perRow + (block >> 1)] ?? 0) >> (4 * (block & 1))) & MOST_OF_NIBBLE;
      values[row * width + column] = (number - zero) * (scales[index] ?? 0);
    }
  }
  return values;
}

/** 8 bits, 0 in the middle. Answers the scale. */
function encodeBytes(block: Float32Array, into: Uint8Array): number {
  let largest = 0;
  for (let index = 0; index < BLOCK; index++) largest = Math.max(largest, Math.abs(block[index] as number));
  const scale = Math.fround(largest / 127);
  for (let index = 0; index < BLOCK; index++) into[index] = MIDDLE_OF_BYTE + (scale === 0 ? 0 : Math.max(-127, Math.min(127, Math.round((block[index] as number) / scale))));
  return scale;
}

/** 4 bits with a zero of the block's own: of several scales, each improved by least squares, the one with the smallest squared error. */
function encodeNibbles(block: Float32Array, into: Uint8Array): { readonly scale: number; readonly zero: number } {
  let least = 0;
  let most = 0;
  for (let index = 0; index < BLOCK; index++) {
    const value = block[index] as number;
    if (value < least) least = value;
    if (value > most) most = value;
  }
  into.fill(0);
  if (most === least) return { scale: 0, zero: 0 };
  const zero = Math.round((MOST_OF_NIBBLE * -least) / (most - least));
  let best = { scale: 0, error: Number.POSITIVE_INFINITY };
  for (const share of SHARES) {
    const step = (share * (most - least)) / MOST_OF_NIBBLE;
    const inverse = 1 / step;
    let [crossed, squared] = [0, 0];
    for (let index = 0; index < BLOCK; index++) {
      const value = block[index] as number;
      const number = nibble(value, inverse, zero) - zero;
      crossed += value * number;
      squared += number * number;
    }
    const scale = Math.fround(squared === 0 ? step : crossed / squared);
    if (!(scale > 0)) continue;
    const inverseScale = 1 / scale;
    let error = 0;
    for (let index = 0; index < BLOCK; index++) {
      const value = block[index] as number;
      const rest = value - (nibble(value, inverseScale, zero) - zero) * scale;
      error += rest * rest;
    }
    if (error < best.error) best = { scale, error };
  }
  const inverse = 1 / best.scale;
  for (let index = 0; index < BLOCK; index++) into[index] = nibble(block[index] as number, inverse, zero);
  return { scale: best.scale, zero };
}

/** Without Math.round and with a product: these loops are what writing a model takes. */
function nibble(value: number, inverse: number, zero: number): number {
  const number = value * inverse + zero + 0.5;
  return number < 0 ? 0 : number >= MOST_OF_NIBBLE ? MOST_OF_NIBBLE : number | 0;
}
