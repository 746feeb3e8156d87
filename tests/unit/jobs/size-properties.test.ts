/** Sizes of random models: every kind of size is met within one unit, or refused with the smallest that can be had. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { channelParameters, forecastSize, groupParameters, planWidths, weightBytes, withEvenWidths, type WidthBudget } from '../../../main/engine/jobs/size';
import { cacheBytes } from '../../../main/engine/jobs/size-goal';
import { countLinearParameters, countParameters, type ModelConfig } from '../../../main/engine/model/config';
import { canLoseHeads } from '../../../main/engine/model/families/index';
import { isLockedByUser, resolveLocks, type UserLocks } from '../../../main/engine/pruning/locks';
import { shapesAfter, type PruningPlan } from '../../../main/engine/pruning/plan';
import { clustersFor, leastSalient, locksThatHold } from '../../../main/engine/pruning/select';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { AppError, PlanError } from '../../../main/engine/support/errors';
import { Random } from '../../../main/engine/support/random';
import type { ExportTarget, Mode, Size } from '../../../preload/contract/recipe';
import { tinyConfig } from '../../support/tiny-model';

const SEED = 20261125;

const configs = fc
  .record({
    family: fc.constantFrom('llama', 'llama', 'qwen3', 'gpt2'),
    count: fc.integer({ min: 1, max: 4 }), kvHeads: fc.integer({ min: 1, max: 4 }), queries: fc.integer({ min: 1, max: 3 }),
    headDim: fc.constantFrom(8, 16, 64), ffn: fc.integer({ min: 12, max: 300 }), vocabulary: fc.integer({ min: 16, max: 200 }), tied: fc.boolean(),
  })
  .map(({ family, count, kvHeads, queries, headDim, ffn, vocabulary, tied }) => {
    const heads = family === 'gpt2' ? kvHeads : kvHeads * queries;
    return tinyConfig({ family, vocabulary, tied, hidden: heads * headDim, headDim, layers: Array.from({ length: count }, () => ({ heads, kvHeads, ffn })) });
  });

const PLAIN: readonly ExportTarget[] = [{ format: 'safetensors', dtype: 'F16' }, { format: 'safetensors', dtype: 'F32' }, { format: 'gguf', dtype: 'F16' }, { format: 'onnx', dtype: 'F16' }];
const BLOCKS: readonly ExportTarget[] = [{ format: 'gguf', dtype: 'Q8_0' }, { format: 'gguf', dtype: 'Q4_K_M' }, { format: 'onnx', dtype: 'INT4' }];
const modes = fc.constantFrom<Mode>('everywhere', 'quality');
const lockLists = fc.oneof({ arbitrary: fc.constant<string[]>([]), weight: 3 }, { arbitrary: fc.subarray(['first:mlp', 'first:attention', 'last:*', 'first:*', '*:attention', '*:mlp']), weight: 2 });

/** The layers that a budget leads to once random scores say what goes; checks that locked parts are whole. */
function carriedOut(config: ModelConfig, budget: WidthBudget, locks: UserLocks, seed: number): ModelConfig {
  if (budget.mode === 'everywhere') return withEvenWidths(config, { heads: budget.heads, kvHeads: budget.kvHeads, ffn: budget.ffn });
  const random = Random.fromSeed(seed);
  const groups = findUnitGroups(config);
  const sensitive = groups.map((_, index) => index).filter(() => random.nextInteger(4) === 0);
  const held = locksThatHold(groups, budget, sensitive);
  const scores = groups.map(({ size }) => Float64Array.from({ length: size }, () => random.nextNormal()));
  const removed = groups.map(() => new Set<number>());
  for (const cluster of clustersFor(groups, budget, held)) {
    const chosen = leastSalient(cluster, cluster.remove, groups, scores, removed);
    expect(chosen).toHaveLength(cluster.remove);
    for (const { group, unit } of chosen) removed[group]?.add(unit);
  }
  const plan: PruningPlan = {
    groups: groups.map(({ layer, part, size }, index) => {
      const kept = Array.from({ length: size }, (_, unit) => unit).filter((unit) => removed[index]?.has(unit) !== true);
      if (isLockedByUser(locks, { layer, part })) expect(kept).toHaveLength(size);
      expect(kept.length).toBeGreaterThan(0);
      return { layer, part, size, kept, scores: [], locked: false };
    }),
  };
  return { ...config, layers: shapesAfter(config, plan) };
}

/** The budget, or the refusal. */
function planned(config: ModelConfig, size: Size, mode: Mode, target: ExportTarget, locks: UserLocks): WidthBudget | AppError {
  try {
    return planWidths(config, size, mode, target, locks);
  } catch (error) {
    if (error instanceof PlanError) return error;
    throw error;
  }
}

/** What one unit more or less can make, in linear parameters: a channel (in blocks, a block of them) or, where channels cannot fill it, a group; in all layers where they end equal. */
function oneUnit(config: ModelConfig, budget: WidthBudget, step: number): number {
  const [first = { heads: 1, kvHeads: 1, ffn: 1 }] = config.layers;
  const count = config.layers.length;
  if (budget.mode === 'quality') return budget.channelsRemoved === 0 && budget.kvGroupsRemoved > 0 ? groupParameters(config, first) : channelParameters(config);
  const isGroup = budget.ffn === first.ffn && budget.kvHeads < first.kvHeads;
  // Widths may be rounded to eights where that moves at most 0.2% of the model's layers.
  return Math.max(count * (isGroup ? groupParameters(config, first) : step * channelParameters(config)), 0.002 * countLinearParameters(config) + count * channelParameters(config));
}

const stepOf = (target: ExportTarget): number => (BLOCKS.includes(target) ? 32 : 1);

describe('a size of any model', () => {
  it('as a ratio is met within one unit, locks included, or refused with the largest that is met', () => {
    fc.assert(
      fc.property(configs, fc.integer({ min: 0, max: 90 }), modes, fc.constantFrom(...PLAIN, ...BLOCKS), lockLists, fc.nat(), (config, percent, mode, target, words, seed) => {
        const ratio = percent / 100;
        const locks = resolveLocks(config, words);
        const budget = planned(config, { kind: 'ratio', ratio }, mode, target, locks);
        if (budget instanceof AppError) {
          const most = Number(budget.details['most']);
          expect(most).toBeLessThan(ratio + 0.002);
          if (most > 0) expect(() => planWidths(config, { kind: 'ratio', ratio: most }, mode, target, locks)).not.toThrow();
          return;
        }
        const after = carriedOut(config, budget, locks, seed);
        const total = countLinearParameters(config);
        expect(total - countLinearParameters(after)).toBe(Math.round(budget.removedLinearParameters));
        expect(Math.abs(budget.removedFraction - ratio) * total).toBeLessThanOrEqual(oneUnit(config, budget, stepOf(target)) + 1e-6);
        const forecast = forecastSize(config, { kind: 'ratio', ratio }, mode, target, locks);
        expect(forecast.parametersAfter).toBe(countParameters(after));
        if (PLAIN.includes(target)) expect(forecast.bytesAfter).toBe(weightBytes(after, target));
      }),
      { seed: SEED, numRuns: 150 },
    );
  });

  it.each(['bytes', 'parameters', 'memory'] as const)('as %s is never exceeded, and kept within one unit, or refused with the smallest that is met', (kind) => {
    fc.assert(
      fc.property(configs, fc.double({ min: 0.05, max: 1.1, noNaN: true }), modes, fc.constantFrom(...PLAIN, ...BLOCKS), lockLists, fc.nat(), (config, share, mode, target, words, seed) => {
        const locks = resolveLocks(config, words);
        const context = 48;
        const allowance = 1000;
        const measure = (of: ModelConfig): number =>
          kind === 'parameters' ? countParameters(of) : weightBytes(of, target) + (kind === 'memory' ? cacheBytes(of, context, target) + allowance : 0);
        const sized = (limit: number): Size =>
          kind === 'parameters' ? { kind, parameters: limit } : kind === 'bytes' ? { kind, bytes: limit } : { kind, bytes: limit, context, allowance };
        const limit = Math.max(1, Math.floor(measure(config) * share));
        const budget = planned(config, sized(limit), mode, target, locks);
        if (budget instanceof AppError) {
          const smallest = Number(budget.details['smallest']);
          expect(smallest).toBeGreaterThan(limit);
          expect(() => planWidths(config, sized(smallest), mode, target, locks)).not.toThrow();
          return;
        }
        const after = carriedOut(config, budget, locks, seed);
        // Half a block too long is what ONNX rows are expected to be where layers differ: no bound.
        if (mode === 'quality' && target.dtype === 'INT4' && kind !== 'parameters') return;
        expect(measure(after)).toBeLessThanOrEqual(limit);
        // GGUF rows are taken for no whole blocks where layers differ: a bound, and some may be.
        if (budget.removedLinearParameters === 0 || (mode === 'quality' && BLOCKS.includes(target) && kind !== 'parameters')) return;
        if (mode === 'everywhere' && BLOCKS.includes(target)) {
          // Types change with widths, so bytes go in leaps: the next wider one is too large.
          const { ffn: most = 0 } = config.layers[0] ?? {};
          if (budget.mode === 'everywhere' && budget.ffn < most) {
            const { heads, kvHeads, ffn } = budget;
            expect(measure(withEvenWidths(config, { heads, kvHeads, ffn: Math.min(most, ffn + 256) }))).toBeGreaterThan(limit);
          }
          return;
        }
        const perParameter = kind === 'parameters' ? 1 : target.dtype === 'F32' ? 4 : 2;
        const cachePerUnit = kind === 'memory' ? cacheBytes(config, context, target) / Math.max(1, config.layers[0]?.kvHeads ?? 1) : 0;
        // Biases of what goes weigh little, and in GGUF four bytes.
        const bias = 8 * config.layers.length * (1 + config.headDim * 4);
        expect(limit - measure(after)).toBeLessThanOrEqual(perParameter * oneUnit(config, budget, stepOf(target)) + cachePerUnit + bias);
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('in blocks allows for heads whose rows are no whole blocks once some of them are gone', () => {
    // 4 heads of width 8 are one block of 32; 3, 2 or 1 are none, so o is kept in float16 then.
    const config = tinyConfig({ hidden: 32, headDim: 8, layers: Array.from({ length: 4 }, () => ({ heads: 4, kvHeads: 4, ffn: 37 })) });
    const target = { format: 'gguf', dtype: 'Q8_0' } as const;
    for (let share = 0.2; share < 0.9; share += 0.02) {
      const bytes = Math.floor(weightBytes(config, target) * share);
      const budget = planned(config, { kind: 'bytes', bytes }, 'quality', target, []);
      if (budget instanceof AppError) {
        expect(() => planWidths(config, { kind: 'bytes', bytes: Number(budget.details['smallest']) }, 'quality', target)).not.toThrow();
        continue;
      }
      expect(weightBytes(carriedOut(config, budget, [], 1), target)).toBeLessThanOrEqual(bytes);
    }
  });

  it('in blocks counts locked layers as the blocks that they stay', () => {
    const config = tinyConfig({ hidden: 32, headDim: 8, layers: Array.from({ length: 4 }, () => ({ heads: 4, kvHeads: 4, ffn: 64 })) });
    for (const target of [{ format: 'gguf', dtype: 'Q8_0' }, { format: 'onnx', dtype: 'INT4' }] as const) {
      const at = (ffn: number, words: string[]): number => {
        // 37 channels of the last layer go, whatever is locked before it.
        const ratio = ((64 - ffn) * channelParameters(config)) / countLinearParameters(config);
        return forecastSize(config, { kind: 'ratio', ratio }, 'quality', target, resolveLocks(config, words)).bytesAfter;
      };
      const exact = weightBytes({ ...config, layers: config.layers.map((layer, index) => (index === 3 ? { ...layer, ffn: 27 } : layer)) }, target);
      expect(Math.abs(at(27, ['1-3:mlp']) - exact)).toBeLessThanOrEqual(target.format === 'gguf' ? 0 : 32 * 16);
      expect(at(27, [])).toBeGreaterThan(at(27, ['1-3:mlp']));
    }
  });

  it('counts as memory what its parts take', () => {
    const config = tinyConfig();
    const target = { format: 'gguf', dtype: 'F16' } as const;
    // 2 layers of 2 heads of width 8, keys and values, two bytes each; the model reads 64 tokens at most.
    expect(cacheBytes(config, 10, target)).toBe(2 * 2 * 2 * 8 * 10 * 2);
    expect(cacheBytes(config, 1_000_000, target)).toBe(2 * 2 * 2 * 8 * 64 * 2);
    expect(cacheBytes(config, 10, { format: 'onnx', dtype: 'INT4' })).toBe(2 * 2 * 2 * 8 * 10 * 4);
    const needed = weightBytes(config, target) + cacheBytes(config, 10, target) + 500;
    const asked = (bytes: number): number => planWidths(config, { kind: 'memory', bytes, context: 10, allowance: 500 }, 'everywhere', target).removedFraction;
    expect(asked(needed)).toBe(0);
    expect(asked(needed - 1)).toBeGreaterThan(0);
    expect(canLoseHeads(config)).toBe(true);
  });
});
