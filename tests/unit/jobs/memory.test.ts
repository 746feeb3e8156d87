/** The memory estimate of training beside what a fresh process really took. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { estimatePeakBytes } from '../../../main/engine/jobs/training-way';
import { estimateTraining, totalBytes, type TrainingShape } from '../../../main/engine/jobs/memory';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import type { ModelConfig } from '../../../main/engine/model/config';
import { LLAMA_BLOCK } from '../../../main/engine/model/design';

const SCRIPT = join(import.meta.dirname, '../../../scripts/measure-memory.mjs');
const resultsSchema = v.array(v.object({ name: v.string(), estimate: v.number(), measured: v.number() }));

/** SmolLM2-135M. */
const config: ModelConfig = {
  family: 'llama', design: LLAMA_BLOCK, vocabulary: 49152, hidden: 576, headDim: 64, layers: Array.from({ length: 30 }, () => ({ heads: 9, kvHeads: 3, ffn: 1536 })),
  rmsEpsilon: 1e-5, rope: { theta: 10000, inverseFrequencies: [], attentionFactor: 1, scaling: null }, tied: true, biases: new Set(),
  maxPositions: 2048, bosId: 1, eosIds: [2],
};

describe('the memory of a run', () => {
  const recipe = completeRecipe({
    model: 'small', out: 'out', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 100_000, sources: [{ kind: 'text', path: 'a.txt', name: 'a' }],
  });

  it('is near what was measured for compressing SmolLM2-135M with batches of 4 x 256 tokens (2.15 GB)', () => {
    const bytes = estimatePeakBytes(config, recipe);
    expect(Math.abs(bytes / 2.15e9 - 1)).toBeLessThan(0.2);
  });

  it('is not that of training where nothing is trained', () => {
    expect(estimatePeakBytes(config, { ...recipe, budgetTokens: 0 })).toBeLessThan(estimatePeakBytes(config, recipe));
  });
});

describe('the memory of training', () => {
  const bytes = (changes: Partial<TrainingShape> = {}): number => totalBytes(estimateTraining(config, { rank: 8, batch: 4, length: 256, ...changes }));

  it('falls when activations are computed again, when batches are cut, and when layers are read from the file', () => {
    expect(bytes() - bytes({ recompute: true })).toBeGreaterThan(0.4e9);
    expect(bytes() - bytes({ batch: 1 })).toBeGreaterThan(0.4e9);
    // The linears of 28 of 30 layers.
    expect(bytes() - bytes({ streamed: true })).toBeCloseTo((28 / 30) * 4 * 106_168_320, -4);
  });

  it('grows with dropout by its pool of multipliers, and by what is masked', () => {
    const pool = 4 * 2 * 4 * 256 * 1536;
    const more = bytes({ dropout: true }) - bytes();
    expect(more).toBeGreaterThanOrEqual(pool);
    expect(more).toBeLessThan(2 * pool);
  });

  it('counts the saved activations that a forward pass gives', () => {
    const { activations } = estimateTraining(config, { rank: 8, batch: 1, length: 128 });
    // Queries, keys, values, attention's result, middle, gate, up, output, and seven inner products of LoRA; the embedding once.
    const perToken = 576 + 192 + 192 + 576 + 576 + 1536 + 1536 + 576 + 7 * 8;
    expect(activations).toBe(4 * 128 * (30 * perToken + 576));
  });

  it('is estimated within a fifth of what was measured (docs/results.md has the large ones)', async () => {
    const names = ['tiny 1x32', 'tiny 8x256', '20M 4x128'];
    const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, '--json', ...names]);
    const results = v.parse(resultsSchema, JSON.parse(stdout));
    expect(results.map(({ name }) => name)).toEqual(names);
    for (const { name, estimate, measured } of results) {
      const ratio = estimate / measured;
      expect(Math.abs(ratio - 1), `${name}: ${ratio.toFixed(2)} of what was measured`).toBeLessThan(0.2);
    }
  });
});
