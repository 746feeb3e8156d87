import { describe, expect, it } from 'vitest';
import { mixShares } from '../../../main/engine/recovery/mix';

describe('the recovery mix', () => {
  const options = { beta: 0.5, temperature: 0.25 };

  it('gives more to a source that lost more, and something to every source', () => {
    const [code = 0, prose = 0] = mixShares([0.9, 0.1], [1, 1], options);
    expect(code).toBeGreaterThan(0.7);
    expect(prose).toBeGreaterThan(0.25);
    expect(code + prose).toBeCloseTo(1);
  });

  it('is even when all lost alike', () => {
    for (const share of mixShares([0.3, 0.3, 0.3], [1, 1, 1], options)) expect(share).toBeCloseTo(1 / 3);
  });

  it('follows the weights of the user, and leaves out what has none', () => {
    expect(mixShares([0.3, 0.3, 2], [3, 1, 0], options).map((share) => Math.round(share * 100))).toEqual([75, 25, 0]);
  });
});
