import { describe, expect, test } from 'vitest';
import { BatchSampler, type SampledSource } from '../../main/engine/data/batch-sampler';
import { packDocuments, splitHeldBack, type Block } from '../../main/engine/data/packing';

/** Blocks of two ids, told apart by their first. */
function blocks(count: number, from = 0): Block[] {
  return Array.from({ length: count }, (_, index) => Int32Array.of(from + index, 0));
}

function firsts(sampler: BatchSampler, batches: number, batch = 1): number[] {
  return Array.from({ length: batches }, () => sampler.next(batch)).flatMap(({ ids, length }) => [...ids].filter((_, index) => index % length === 0));
}

describe('packing', () => {
  test('puts documents one after the other with a separator, and leaves out an unfinished block', () => {
    expect(packDocuments([[1, 2], [3], [], [4, 5]], 3, 9).map((block) => [...block])).toEqual([[1, 2, 9], [3, 9, 9], [4, 5, 9]]);
    expect(packDocuments([[1, 2], [3, 4, 5]], 2, null).map((block) => [...block])).toEqual([[1, 2], [3, 4]]);
    expect(packDocuments([[1]], 4, null)).toEqual([]);
  });

  test('holds back a share that depends on the seed alone, without losing blocks', () => {
    const all = blocks(50);
    const split = splitHeldBack(all, 0.1, 3);
    expect(split.heldBack).toHaveLength(5);
    expect(new Set([...split.training, ...split.heldBack])).toEqual(new Set(all));
    expect(splitHeldBack(all, 0.1, 3)).toEqual(split);
    expect(splitHeldBack(all, 0.1, 4)).not.toEqual(split);
    expect(split.heldBack.map((block) => block[0])).toEqual(split.heldBack.map((block) => block[0]).sort((a, b) => (a ?? 0) - (b ?? 0)));
  });

  test('holds back at least one block and never all, and needs two', () => {
    expect(splitHeldBack(blocks(2), 0.01, 0).heldBack).toHaveLength(1);
    expect(splitHeldBack(blocks(2), 1, 0).training).toHaveLength(1);
    expect(() => splitHeldBack(blocks(1), 0.5, 0)).toThrow('at least 2 are needed');
  });
});

describe('drawing batches', () => {
  const sources: readonly SampledSource[] = [
    { name: 'web', blocks: blocks(5) },
    { name: 'code', blocks: blocks(3, 100) },
    { name: 'unused', blocks: [] },
  ];

  test('gives rows of ids with the names of their sources', () => {
    const batch = new BatchSampler(sources, { web: 1 }, 1).next(3);
    expect(batch).toMatchObject({ batch: 3, length: 2, sources: ['web', 'web', 'web'] });
    expect(batch.ids).toHaveLength(6);
  });

  test('shows every block of a source before any comes again, in another order', () => {
    const drawn = firsts(new BatchSampler(sources, { web: 1 }, 1), 15);
    const passes = [drawn.slice(0, 5), drawn.slice(5, 10), drawn.slice(10)];
    for (const pass of passes) expect([...pass].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(passes.map(String)).size).toBeGreaterThan(1);
  });

  test('keeps the order of blocks where that is asked for', () => {
    expect(firsts(new BatchSampler([{ name: 'ids', blocks: blocks(4), inOrder: true }], { ids: 1 }, 1), 3, 2)).toEqual([0, 1, 2, 3, 0, 1]);
  });

  test('follows the weights to within one block at any time', () => {
    const sampler = new BatchSampler(sources, { web: 3, code: 1 }, 1);
    let web = 0;
    for (let drawn = 1; drawn <= 100; drawn++) {
      if (sampler.next(1).sources[0] === 'web') web++;
      expect(Math.abs(web - drawn * 0.75)).toBeLessThanOrEqual(1);
    }
    sampler.setWeights({ code: 1 });
    expect(sampler.next(4).sources).toEqual(['code', 'code', 'code', 'code']);
  });

  test('is the same for the same seed, another for another, and goes on from a saved state', () => {
    const weights = { web: 1, code: 1 };
    expect(firsts(new BatchSampler(sources, weights, 1), 20)).toEqual(firsts(new BatchSampler(sources, weights, 1), 20));
    expect(firsts(new BatchSampler(sources, weights, 1), 20)).not.toEqual(firsts(new BatchSampler(sources, weights, 2), 20));
    const sampler = new BatchSampler(sources, weights, 1);
    firsts(sampler, 7, 2);
    sampler.setWeights({ web: 5, code: 2 });
    firsts(sampler, 3);
    const state: unknown = JSON.parse(JSON.stringify(sampler.saveState()));
    const resumed = new BatchSampler(sources, weights, 1);
    resumed.restoreState(state as ReturnType<BatchSampler['saveState']>);
    expect(firsts(resumed, 20)).toEqual(firsts(sampler, 20));
    expect(() => resumed.restoreState({ weights: [1], credits: [0], passes: [] })).toThrow('sources');
  });

  test('refuses weights that draw nothing, texts too short, and blocks of different lengths', () => {
    expect(() => new BatchSampler(sources, {}, 1)).toThrow('weights');
    expect(() => new BatchSampler(sources, { web: -1, code: 2 }, 1)).toThrow('weights');
    expect(() => new BatchSampler(sources, { web: Number.NaN }, 1)).toThrow('weights');
    expect(() => new BatchSampler(sources, { unused: 1 }, 1)).toThrow('"unused"');
    expect(() => new BatchSampler([{ name: 'a', blocks: blocks(1) }, { name: 'b', blocks: [Int32Array.of(1)] }], { a: 1 }, 1)).toThrow('"b"');
  });
});
