import { describe, expect, it } from 'vitest';
import { BLOCK, blockBytes, decodeRows, encodeRows } from '../../../main/engine/export/onnx-blocks';
import { encodeBlocks, GGUF_LAYOUTS } from '../../../main/engine/formats/gguf/blocks';
import { Random } from '../../../main/engine/support/random';
import { noCounts } from '../../../main/engine/tensors/range';

function normal(count: number, seed = 1): Float32Array {
  const random = Random.fromSeed(seed);
  return Float32Array.from({ length: count }, () => 0.02 * random.nextNormal());
}

function error(values: Float32Array, found: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value, at) => sum + (value - (found[at] ?? Number.NaN)) ** 2, 0) / values.length);
}

describe('weights in blocks for ONNX Runtime', () => {
  it('lose in 4 bits no more than in the smallest 4-bit type of GGUF files, and a sixteenth of that in 8 bits', () => {
    const values = normal(64 * 256);
    const q4 = new Float32Array(values.length);
    GGUF_LAYOUTS.Q4_0?.decode(encodeBlocks('Q4_0', values, noCounts()), q4, 0);
    const four = error(values, decodeRows(encodeRows(values, 256, 4), 256, 4));
    expect(four).toBeLessThan(error(values, q4));
    expect(error(values, decodeRows(encodeRows(values, 256, 8), 256, 8))).toBeLessThan(four / 12);
  });

  it('keep zeros, and rows that are no whole blocks', () => {
    const values = normal(3 * 45);
    values.fill(0, 45, 90);
    values[3] = 0;
    for (const bits of [4, 8] as const) {
      const rows = encodeRows(values, 45, bits);
      const sizes = blockBytes(3, 45, bits);
      expect([rows.numbers.byteLength, rows.scales.byteLength, rows.zeros.byteLength]).toEqual([sizes.numbers, sizes.scales, sizes.zeros]);
      expect(rows.numbers.length).toBe((3 * 2 * BLOCK * bits) / 8);
      const found = decodeRows(rows, 45, bits);
      expect(found).toHaveLength(values.length);
      expect([...found.subarray(45, 90)].every((value) => value === 0)).toBe(true);
      expect(found[3]).toBe(0);
    }
  });

  it('keep blocks of one sign and of one value', () => {
    const values = Float32Array.from({ length: 2 * BLOCK }, (_, at) => (at < BLOCK ? 1 + at / 100 : -0.5));
    const found = decodeRows(encodeRows(values, 2 * BLOCK, 4), 2 * BLOCK, 4);
    values.forEach((value, at) => expect(Math.abs((found[at] ?? Number.NaN) - value)).toBeLessThan(0.06));
  });
});
