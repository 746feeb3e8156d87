import { describe, expect, it } from 'vitest';
import { rankCorrelation } from '../../../main/engine/pruning/rank-correlation';

describe('the rank correlation', () => {
  it('is 1 for the same order, -1 for the reverse, whatever the values', () => {
    expect(rankCorrelation([1, 2, 300], [0.1, 5, 6])).toBe(1);
    expect(rankCorrelation([1, 2, 300], [-1, -2, -3])).toBe(-1);
  });

  it('follows the textbook formula, and shares ranks among equals', () => {
    // 1 - 6 * sum d^2 / (n (n^2 - 1)) with d = 0, 1, -1, 0
    expect(rankCorrelation([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(1 - (6 * 2) / (4 * 15), 12);
    // As scipy.stats.spearmanr([1, 2, 2, 3], [1, 2, 3, 4]).
    expect(rankCorrelation([1, 2, 2, 3], [1, 2, 3, 4])).toBeCloseTo(0.9486832980505138, 12);
  });

  it('says nothing of too little, of equals, and of what is no number', () => {
    expect(rankCorrelation([1], [1])).toBeNull();
    expect(rankCorrelation([1, 1], [1, 2])).toBeNull();
    expect(rankCorrelation([1, Number.NaN], [1, 2])).toBeNull();
    expect(rankCorrelation([1, 2], [1, 2, 3])).toBeNull();
  });
});
