/** Attention in blocks of queries: which lengths have them, and what they save. */
import { describe, expect, it } from 'vitest';
import { queryBlock } from '../../../main/engine/execution/attention';
import { blockSpec } from '../../../main/engine/execution/executor';
import { trainingGraphs } from '../../../main/engine/execution/graphs';
import { peakLiveBytes } from '../../../main/engine/graph/cost';
import { LINEAR_ROLES } from '../../../main/engine/model/config';
import { tinyConfig } from '../../support/tiny-model';

describe('blocks of queries', () => {
  it('are for lengths that they divide, and for all that are long', () => {
    expect([2, 64, 127, 129, 1000].map(queryBlock)).toEqual([null, null, null, null, null]);
    expect([128, 192, 1024].map(queryBlock)).toEqual([64, 64, 64]);
    expect([1025, 2048, 4096, 5000].map(queryBlock)).toEqual([128, 128, 256, 320]);
  });

  it('are never more than sixteen, so that graphs stay small', () => {
    for (let length = 1025; length < 20_000; length += 13) expect(Math.ceil(length / (queryBlock(length) ?? 1))).toBeLessThanOrEqual(16);
  });

  it.each([4096, 5000])('keep the memory of a training block of %i tokens to between a third and a fourteenth', (length) => {
    const config = tinyConfig();
    const options = { adapter: { rank: 2, scale: 1, targets: LINEAR_ROLES, layers: [] } };
    const sizes = new Map([['B', 1], ['T', length], ['C', 32], ['K', 2], ['F', 24], ['R', 2], ['P', length]]);
    const peaks = (known: number | null): number[] => {
      const { forward, backward, recompute } = trainingGraphs({ ...blockSpec(config, options, length), length: known });
      return [forward, backward, recompute].map((graph) => peakLiveBytes(graph, sizes));
    };
    const [blocks, whole] = [peaks(length), peaks(null)];
    // In shares of what the scores of all positions take: forward, backward, and backward with the forward pass again.
    const shares = [blocks, whole].map((peaksOf) => peaksOf.map((bytes) => bytes / (4 * 4 * length * length)));
    for (const [index, most] of [0.2, 0.75, 1.3].entries()) expect(shares[0]?.[index]).toBeLessThan(most);
    for (const [index, least] of [2, 3, 4].entries()) expect(shares[1]?.[index]).toBeGreaterThan(least);
  });
});
