/** Judging written models: comparing logits, and repeating a file's rounding in memory. */
import { describe, expect, it } from 'vitest';
import { areFinite, compareLogits, plainTypes, roundedView, sameChoices } from '../../../main/engine/export/verify';
import { LLAMA_BLOCK } from '../../../main/engine/model/design';
import type { ModelView } from '../../../main/engine/model/view';

describe('comparing logits', () => {
  it('finds the largest difference and the range', () => {
    const { maxDifference, range } = compareLogits(Float32Array.of(-2, 0, 6), Float32Array.of(-2, 0.5, 5.75));
    expect(maxDifference).toBe(0.5);
    expect(range).toBe(8);
  });

  it('is not a number where a side is not, so that no limit is met', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(compareLogits(Float32Array.of(1, bad), Float32Array.of(1, 2)).maxDifference).toBeNaN();
      expect(compareLogits(Float32Array.of(1, 2), Float32Array.of(1, bad)).maxDifference).toBeNaN();
    }
    expect(compareLogits(Float32Array.of(1), Float32Array.of(1, 2)).maxDifference).toBeNaN();
  });

  it('counts the rows in which the same element is largest', () => {
    expect(sameChoices(Float32Array.of(1, 2, 5, 4), Float32Array.of(0, 1, 4, 5), 2)).toBe(0.5);
  });

  it('sees numbers that are none', () => {
    expect(areFinite(Float32Array.of(1, -2))).toBe(true);
    expect(areFinite(Float32Array.of(1, Number.NaN))).toBe(false);
  });
});

describe('a rounded view', () => {
  const view: ModelView = {
    config: {
      family: 'llama', design: LLAMA_BLOCK, vocabulary: 2, hidden: 1, headDim: 1, layers: [], rmsEpsilon: 1e-5,
      rope: { theta: 1e4, inverseFrequencies: [], attentionFactor: 1, scaling: null }, tied: true, biases: new Set(), maxPositions: 8, bosId: null, eosIds: [],
    },
    readGlobal: (role) => Promise.resolve(role === 'embedding' ? { shape: [2, 1], data: Float32Array.of(0.1, 1) } : { shape: [1], data: Float32Array.of(0.1) }),
    readLayer: () => Promise.resolve({ shape: [1, 1], data: Float32Array.of(0.1) }),
  };

  it('rounds matrices as the file does and leaves vectors alone where the file does', async () => {
    const rounded = roundedView(view, plainTypes('F16', 'F32'));
    expect([...(await rounded.readGlobal('embedding')).data]).toEqual([0.0999755859375, 1]);
    expect([...(await rounded.readGlobal('finalNorm')).data]).toEqual([Math.fround(0.1)]);
  });

  it('rounds vectors too where the file does', async () => {
    const rounded = roundedView(view, plainTypes('BF16', 'BF16'));
    expect([...(await rounded.readGlobal('finalNorm')).data]).toEqual([0.10009765625]);
  });

  it('does not touch the weights it was made from', async () => {
    await roundedView(view, plainTypes('F16', 'F16')).readGlobal('embedding');
    expect([...(await view.readGlobal('embedding')).data]).toEqual([Math.fround(0.1), 1]);
  });
});
