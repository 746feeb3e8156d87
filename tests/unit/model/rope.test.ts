import { describe, expect, it } from 'vitest';
import { baseFrequencies, frequencyFactors, resolveRope, ropeFromFactors, uniformFactor } from '../../../main/engine/model/rope';
import { toHalfSplit, toInterleaved } from '../../../main/engine/model/rotary-rows';
import { UnsupportedError } from '../../../main/engine/support/errors';

const LLAMA3 = { rope_type: 'llama3', factor: 32, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** Index and value as transformers 5.18.0 computes them in float32 (ROPE_INIT_FUNCTIONS['llama3'], theta 500000, width 64). */
const TRANSFORMERS_LLAMA3 = [
  [13, 0.00483942124992609], [14, 0.0032114461064338684], [15, 0.0012905480107292533], [16, 0.000429556705057621],
  [17, 9.708286233944818e-5], [20, 8.570255886297673e-6], [31, 9.418306490260875e-8],
] as const;

describe('Rotary frequencies', () => {
  it('are powers of theta', () => {
    expect(baseFrequencies(10_000, 8)).toEqual([1, 0.1, 0.01, 0.001].map((value) => expect.closeTo(value, 12) as unknown));
  });

  it('are divided by the factor under the linear rule, named by type or by rope_type', () => {
    for (const key of ['type', 'rope_type']) {
      const rope = resolveRope(10_000, 8, { [key]: 'linear', factor: 4 });
      expect(rope.inverseFrequencies[1]).toBeCloseTo(0.025, 12);
      expect(uniformFactor(frequencyFactors(rope))).toBeCloseTo(4, 9);
    }
  });

  it('follow the Llama 3 rule: high ones kept, low ones divided, between them a blend', () => {
    const rope = resolveRope(500_000, 64, LLAMA3);
    for (const [index, expected] of TRANSFORMERS_LLAMA3) {
      expect(Math.abs((rope.inverseFrequencies[index] ?? NaN) / expected - 1)).toBeLessThan(1e-6);
    }
    expect(uniformFactor(frequencyFactors(rope))).toBeNull();
  });

  it('are recovered, rule and all, from the factors of a GGUF file', () => {
    const rope = resolveRope(500_000, 64, LLAMA3);
    const stored = Array.from(Float32Array.from(frequencyFactors(rope)));
    const found = ropeFromFactors(500_000, 64, stored);
    expect(found.scaling).toEqual(LLAMA3);
    expect(ropeFromFactors(500_000, 64, stored.map((factor, index) => (index === 3 ? 2 : factor))).scaling).toEqual({ rope_type: 'factors' });
  });

  it.each(['longrope', 'toString', 7])('are refused by name for the rule %s', (rule) => {
    expect(() => resolveRope(10_000, 8, { rope_type: rule, factor: 2 })).toThrow(UnsupportedError);
    expect(() => resolveRope(10_000, 8, { rope_type: rule, factor: 2 })).toThrow(String(rule));
  });
});

describe('Rotary rows', () => {
  it('of two heads of width 4 move between the two orders and back', () => {
    const halfSplit = Float32Array.from([0, 1, 2, 3, 10, 11, 12, 13]);
    expect(Array.from(toInterleaved(halfSplit, 4, 1))).toEqual([0, 2, 1, 3, 10, 12, 11, 13]);
    expect(toHalfSplit(toInterleaved(halfSplit, 4, 1), 4, 1)).toEqual(halfSplit);
    const wide = Float32Array.from({ length: 48 }, (_, index) => index);
    expect(toHalfSplit(toInterleaved(wide, 4, 3), 4, 3)).toEqual(wide);
  });
});
