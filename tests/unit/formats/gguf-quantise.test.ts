/** Quantising: what fits the levels comes back, errors are as small as a type allows, and hard blocks stay ordinary. */
import { describe, expect, it } from 'vitest';
import { GGUF_LAYOUTS, encodeBlocks, type GgufWrittenType } from '../../../main/engine/formats/gguf/blocks';
import { Random } from '../../../main/engine/support/random';
import { noCounts } from '../../../main/engine/tensors/range';

/**
 * Root mean square errors that llama.cpp's quantiser (ggml_quantize_chunk, as of node-llama-cpp's llama.cpp v0.5.0) leaves
 * on the 65,536 values of `normal(65536, 0.05)`.
 */
const LLAMA_CPP_ERRORS = {
  Q8_0: 0.000268, Q4_0: 0.004298, Q4_1: 0.003912, Q5_0: 0.002139, Q5_1: 0.001897, Q4_K: 0.003573, Q5_K: 0.001806, Q6_K: 0.000893,
} as const;
const TYPES = ['Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q4_K', 'Q5_K', 'Q6_K'] as const;

function through(type: GgufWrittenType, values: Float32Array): Float32Array {
  const result = new Float32Array(values.length);
  GGUF_LAYOUTS[type]?.decode(encodeBlocks(type, values, noCounts()), result, 0);
  return result;
}

function error(values: Float32Array, found: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value, index) => sum + (value - (found[index] ?? 0)) ** 2, 0) / values.length);
}

function normal(count: number, scale: number): Float32Array {
  const random = Random.fromSeed(3);
  return Float32Array.from({ length: count }, () => scale * random.nextNormal());
}

describe('quantised blocks', () => {
  it.each(TYPES)('of %s are within 1%% of the error of llama.cpp', (type) => {
    const values = normal(65536, 0.05);
    expect(error(values, through(type, values)) / LLAMA_CPP_ERRORS[type]).toBeLessThan(1.01);
  });

  it.each(TYPES)('of %s hold zeros, single spikes and equal values without spoiling their neighbours', (type) => {
    const zeros = new Float32Array(512);
    expect(error(zeros, through(type, zeros))).toBe(0);
    const spike = new Float32Array(512);
    spike[300] = 2;
    spike[10] = -2;
    const found = through(type, spike);
    expect(Math.abs((found[300] ?? 0) - 2)).toBeLessThan(0.15);
    expect(Math.abs((found[10] ?? 0) + 2)).toBeLessThan(0.15);
    expect(error(spike, found)).toBeLessThan(0.02);
    for (const value of [0.7, -0.7, 1e-30, 1e9, -1e9]) {
      const same = new Float32Array(256).fill(value);
      const back = through(type, same);
      expect(back.every(Number.isFinite)).toBe(true);
      if (Math.abs(value) === 0.7) expect(error(same, back)).toBeLessThan(0.03);
    }
  });

  it.each(TYPES)('of %s that were decoded come back nearly as they were', (type) => {
    const once = through(type, normal(8192, 0.05));
    expect(error(once, through(type, once))).toBeLessThan(0.35 * error(normal(8192, 0.05), once));
  });

  it.each(TYPES)('of %s scale with their values', (type) => {
    const small = error(normal(4096, 0.01), through(type, normal(4096, 0.01)));
    const large = error(normal(4096, 10), through(type, normal(4096, 10)));
    expect(large / small / 1000).toBeCloseTo(1, 1);
  });
});
