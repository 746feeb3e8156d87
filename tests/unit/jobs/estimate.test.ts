/** Estimates before a run: formulas against measured figures, and refusals in words. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { estimateNeeds, estimateRun, estimateStages, refuseIfImpossible } from '../../../main/engine/jobs/estimate';
import { estimatePeakBytes } from '../../../main/engine/jobs/training-way';
import { availableMemoryBytes, memoryLimitBytes, volumeOf } from '../../../main/engine/jobs/machine';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { countParameters, type ModelConfig } from '../../../main/engine/model/config';
import { LLAMA_BLOCK } from '../../../main/engine/model/design';
import type { Recipe, RecipeInput } from '../../../preload/contract/recipe';
import { STAGES } from '../../../preload/contract/run';

let folder: string;
const speed = { forwardTokensPerSecond: 400, trainTokensPerSecond: 100, recoverTokensPerSecond: 100 };

const config: ModelConfig = {
  family: 'llama', design: LLAMA_BLOCK, vocabulary: 49152, hidden: 576, headDim: 64, layers: Array.from({ length: 30 }, () => ({ heads: 9, kvHeads: 3, ffn: 1536 })),
  rmsEpsilon: 1e-5, rope: { theta: 10000, inverseFrequencies: [], attentionFactor: 1, scaling: null }, tied: true, biases: new Set(),
  maxPositions: 512, bosId: 1, eosIds: [2],
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-estimate-'));
  await writeFile(join(folder, 'a.txt'), 'A text.');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function recipe(changes: Partial<RecipeInput> = {}): Recipe {
  return completeRecipe({
    model: '/models/small', out: join(folder, 'out'), size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 100_000,
    sources: [{ kind: 'text', path: join(folder, 'a.txt'), name: 'a' }], ...changes,
  });
}

describe('the estimate', () => {
  it('of memory is near what was measured for training SmolLM2-135M on 4 x 256 tokens (1.6 GB)', () => {
    const bytes = estimatePeakBytes(config, recipe());
    expect(bytes).toBeGreaterThan(1.4e9);
    expect(bytes).toBeLessThan(2.6e9);
  });

  it('of memory grows with the batch', () => {
    const twice = estimatePeakBytes(config, recipe({ training: { batch: 8 } }));
    expect(twice - estimatePeakBytes(config, recipe())).toBeGreaterThan(0.6e9);
  });

  it('of time names every stage once, in order, and counts the training tokens', () => {
    const stages = estimateStages(config, recipe(), speed);
    expect(stages.map((stage) => stage.stage)).toEqual([...STAGES]);
    const seconds = (name: string): number => stages.find((stage) => stage.stage === name)?.seconds ?? 0;
    expect(seconds('prune') + seconds('recover')).toBeGreaterThan(100_000 / 100);
  });

  it('of disk leaves out what a run has written already', async () => {
    const needs = { config, recipe: recipe(), runsFolder: join(folder, 'runs') };
    const all = await estimateNeeds(needs);
    expect((await estimateNeeds({ ...needs, writtenBytes: 1_000_000 })).diskBytes).toBe(all.diskBytes - 1_000_000);
    expect((await estimateNeeds({ ...needs, writtenBytes: 1e15 })).diskBytes).toBeGreaterThan(0);
  });

  it('of disk counts the table of units, here and in the run, and the tokenizer of every file', async () => {
    const disk = async (of: ModelConfig, changes: Partial<RecipeInput> = {}): Promise<number> =>
      (await estimateNeeds({ config: of, recipe: recipe({ size: { kind: 'ratio', ratio: 0 }, ...changes }), runsFolder: join(folder, 'runs') })).diskBytes;
    const named = recipe().sources.map((source) => ({ ...source, name: 'a'.repeat(101) }));
    expect((await disk(config, { sources: named })) - (await disk(config))).toBe(2 * 100 * (30 * (9 + 1536) + 4));
    // One more token is a row of the embedding: three times float32 in the run (pruned, and twice for going on), float16 or float32 in a file.
    const more = { ...config, vocabulary: config.vocabulary + 1 };
    const tokens = async (...exports: Recipe['exports']): Promise<number> => (await disk(more, { exports })) - (await disk(config, { exports }));
    expect(await tokens({ format: 'safetensors', dtype: 'F32' })).toBe(4 * 4 * 576 + 150);
    expect(await tokens({ format: 'safetensors', dtype: 'F32' }, { format: 'safetensors', dtype: 'F16' })).toBe(4 * 4 * 576 + 2 * 576 + 300);
  });

  it('of disk counts the full model that the refit keeps there meanwhile', async () => {
    const needs = { config, recipe: recipe(), runsFolder: join(folder, 'runs') };
    const refits = { ...recipe(), method: { ...recipe().method, compensation: 'refit' as const } };
    const more = (await estimateNeeds({ ...needs, recipe: refits })).diskBytes - (await estimateNeeds(needs)).diskBytes;
    expect(more).toBe(4 * countParameters(config));
  });

  it('has no problem where there is none', async () => {
    const estimate = await estimateRun({ config, recipe: recipe(), speed, runsFolder: join(folder, 'runs') });
    expect(estimate.problems).toEqual([]);
    expect(() => refuseIfImpossible(estimate)).not.toThrow();
    expect(estimate.freeDiskBytes).toBeGreaterThan(0);
  });
});

describe('a refusal', () => {
  const refusal = async (changes: Partial<RecipeInput>): Promise<unknown> => {
    const estimate = await estimateRun({ config, recipe: recipe(changes), speed, runsFolder: join(folder, 'runs') });
    try {
      refuseIfImpossible(estimate);
    } catch (error) {
      return error;
    }
    return null;
  };

  it('says how much memory is missing and what to change', async () => {
    const error = await refusal({ training: { rank: 1_000_000 } });
    expect(error).toMatchObject({ code: 'memory' });
    expect((error as Error).message).toMatch(/needs about .* of memory; .* is free/);
  });

  it('comes for a folder that is not empty', async () => {
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'out', 'mine.txt'), 'mine');
    expect(await refusal({})).toMatchObject({ code: 'usage' });
  });

  it('does not come for an empty folder', async () => {
    await mkdir(join(folder, 'out'));
    expect(await refusal({})).toBeNull();
  });

  it('comes for a text that is not there, with all other problems', async () => {
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'out', 'mine.txt'), 'mine');
    const error = await refusal({ sources: [{ kind: 'text', path: join(folder, 'b.txt'), name: 'b' }] });
    expect(error).toMatchObject({ code: 'not-found' });
    expect((error as Error).message).toContain('b.txt');
    expect((error as Error).message).toContain('is not empty');
  });

  it('comes for two texts of one name', async () => {
    const source = { kind: 'text', path: join(folder, 'a.txt'), name: 'a' } as const;
    expect(await refusal({ sources: [source, source] })).toMatchObject({ code: 'usage' });
  });

  it('says which disk has too little room', async () => {
    const huge = { ...config, vocabulary: 1e13 };
    const { problems } = await estimateRun({ config: huge, recipe: recipe(), speed, runsFolder: join(folder, 'runs') });
    expect(problems.find((problem) => problem.code === 'disk')?.message).toContain(`on the disk of ${join(folder, 'out')}`);
  });

  it('comes for a size that cannot be reached', async () => {
    expect(await refusal({ size: { kind: 'bytes', bytes: 1000 } })).toMatchObject({ code: 'plan' });
  });
});

describe('the machine', () => {
  it('gives no more memory than the user allows, by a number of bytes or with a unit', () => {
    expect(memoryLimitBytes({})).toBe(Number.POSITIVE_INFINITY);
    expect(memoryLimitBytes({ SHEAR_MEMORY_LIMIT: '1.5GB' })).toBe(1_500_000_000);
    expect(memoryLimitBytes({ SHEAR_MEMORY_LIMIT: ' 2 gib ' })).toBe(2 ** 31);
    expect(memoryLimitBytes({ SHEAR_MEMORY_LIMIT: '123456' })).toBe(123_456);
    for (const wrong of ['0', '-1GB', 'GB', '1e9', '4 apples']) expect(() => memoryLimitBytes({ SHEAR_MEMORY_LIMIT: wrong })).toThrow('needs a size such as 4GB');
    expect(availableMemoryBytes(1000)).toBe(1000);
  });

  it('has memory and disk', async () => {
    expect(availableMemoryBytes()).toBeGreaterThan(1e6);
    const volume = await volumeOf(join(folder, 'not', 'yet', 'there'));
    expect(volume.freeBytes).toBeGreaterThan(0);
    expect(volume.id).toBe((await volumeOf(folder)).id);
  });
});
