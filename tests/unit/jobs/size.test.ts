/** Sizes after pruning, from headers alone: exact, within the tolerance, and never below what a layer needs. */
import { describe, expect, it } from 'vitest';
import { channelParameters, forecastSize, groupParameters, planWidths, weightBytes, withEvenWidths } from '../../../main/engine/jobs/size';
import { countLinearParameters, countParameters, type ModelConfig } from '../../../main/engine/model/config';
import { LLAMA_BLOCK } from '../../../main/engine/model/design';
import { PlanError } from '../../../main/engine/support/errors';

const F16 = { format: 'safetensors', dtype: 'F16' } as const;
const GGUF = { format: 'gguf', dtype: 'F16' } as const;

function model(sizes: { hidden: number; headDim: number; heads: number; kvHeads: number; ffn: number; layers: number; vocabulary: number }): ModelConfig {
  const { hidden, headDim, heads, kvHeads, ffn, layers, vocabulary } = sizes;
  return {
    family: 'llama', design: LLAMA_BLOCK, vocabulary, hidden, headDim, layers: Array.from({ length: layers }, () => ({ heads, kvHeads, ffn })),
    rmsEpsilon: 1e-5, rope: { theta: 10000, inverseFrequencies: [], attentionFactor: 1, scaling: null }, tied: true, biases: new Set(),
    maxPositions: 512, bosId: 1, eosIds: [2],
  };
}

const smollm = model({ hidden: 576, headDim: 64, heads: 9, kvHeads: 3, ffn: 1536, layers: 30, vocabulary: 49152 });
const stories = model({ hidden: 64, headDim: 8, heads: 8, kvHeads: 4, ffn: 172, layers: 5, vocabulary: 512 });

describe('the cost of a structure', () => {
  it('is what the published counts of SmolLM2-135M say', () => {
    expect(countLinearParameters(smollm)).toBe(106_168_320);
    expect(channelParameters(smollm)).toBe(1728);
    expect(groupParameters(smollm, { heads: 9, kvHeads: 3, ffn: 1536 })).toBe(294_912);
  });
});

describe('the same widths in every layer', () => {
  it.each([0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.75])('hit a ratio of %d within 0.002', (ratio) => {
    const forecast = forecastSize(smollm, { kind: 'ratio', ratio }, 'everywhere', F16);
    expect(Math.abs(forecast.removedFraction - ratio)).toBeLessThanOrEqual(0.002);
  });

  it('are rounded to eight where that is near enough', () => {
    expect(forecastSize(smollm, { kind: 'ratio', ratio: 0.2 }, 'everywhere', F16).ffn % 8).toBe(0);
  });

  it('come as near as one channel allows on a tiny model', () => {
    const onePerLayer = (channelParameters(stories) * 5) / countLinearParameters(stories);
    for (const ratio of [0.1, 0.2, 0.25, 0.33, 0.5]) {
      expect(Math.abs(forecastSize(stories, { kind: 'ratio', ratio }, 'everywhere', F16).removedFraction - ratio)).toBeLessThanOrEqual(onePerLayer / 2 + 1e-9);
    }
  });

  it('take channels alone while that removes at most 60% of them', () => {
    const plan = planWidths(smollm, { kind: 'ratio', ratio: 0.4 }, 'everywhere', F16);
    expect(plan).toMatchObject({ kvHeads: 3, heads: 9, kvGroupsRemoved: 0 });
  });

  it('take whole attention groups beyond', () => {
    const plan = planWidths(smollm, { kind: 'ratio', ratio: 0.5 }, 'everywhere', F16);
    expect(plan).toMatchObject({ kvHeads: 2, heads: 6, kvGroupsRemoved: 30 });
  });

  it('leave a model as it is at ratio 0, whatever its width', () => {
    expect(forecastSize(stories, { kind: 'ratio', ratio: 0 }, 'everywhere', F16)).toMatchObject({ ffn: 172, kvHeads: 4, removedFraction: 0 });
  });

  it('tell exactly what the pruned configuration counts', () => {
    const forecast = forecastSize(smollm, { kind: 'ratio', ratio: 0.35 }, 'everywhere', F16);
    const { heads, kvHeads, ffn } = forecast;
    const after = withEvenWidths(smollm, { heads, kvHeads, ffn });
    expect(forecast.parametersAfter).toBe(countParameters(after));
    expect(forecast.bytesAfter).toBe(2 * countParameters(after));
  });

  it('never exceed a size in bytes, and come near it', () => {
    for (const target of [F16, GGUF]) {
      for (const bytes of [250e6, 200e6, 150e6, 100e6]) {
        const forecast = forecastSize(smollm, { kind: 'bytes', bytes }, 'everywhere', target);
        expect(forecast.bytesAfter).toBeLessThanOrEqual(bytes);
        expect(bytes - forecast.bytesAfter).toBeLessThan(0.004 * forecast.bytesBefore);
      }
    }
  });

  it('leave a model alone that is small enough already', () => {
    expect(forecastSize(smollm, { kind: 'bytes', bytes: 1e12 }, 'everywhere', F16).removedFraction).toBe(0);
  });

  it('refuse what cannot be reached and say what can', () => {
    expect(() => planWidths(smollm, { kind: 'bytes', bytes: 1e6 }, 'everywhere', F16)).toThrow(PlanError);
    expect(() => planWidths(smollm, { kind: 'bytes', bytes: 1e6 }, 'everywhere', F16)).toThrow(/smaller than \d/);
    // In megabytes, what was asked of a tiny model would read as 0.0.
    expect(() => planWidths(stories, { kind: 'bytes', bytes: 9000 }, 'everywhere', F16)).toThrow(/smaller than [\d.]+ kB as F16; 9\.0 kB was asked for/);
    const wide = model({ hidden: 64, headDim: 64, heads: 8, kvHeads: 1, ffn: 16, layers: 2, vocabulary: 100 });
    expect(() => planWidths(wide, { kind: 'ratio', ratio: 0.9 }, 'everywhere', F16)).toThrow(/at most/);
  });

  it('start from the narrowest layer of a model whose layers differ', () => {
    const uneven: ModelConfig = { ...smollm, layers: smollm.layers.map((layer, index) => (index === 3 ? { ...layer, ffn: 512 } : layer)) };
    expect(forecastSize(uneven, { kind: 'ratio', ratio: 0 }, 'everywhere', F16).ffn).toBe(512);
  });
});

describe('a width for each layer', () => {
  it.each([0.1, 0.2, 0.5, 0.7])('shares out a total that hits a ratio of %d', (ratio) => {
    const plan = planWidths(smollm, { kind: 'ratio', ratio }, 'quality', F16);
    expect(Math.abs(plan.removedFraction - ratio)).toBeLessThan(1e-4);
    expect(plan.removedLinearParameters).toBe(plan.channelsRemoved * 1728 + plan.kvGroupsRemoved * 294_912);
  });

  it('never exceeds a size in bytes', () => {
    const forecast = forecastSize(smollm, { kind: 'bytes', bytes: 180e6 }, 'quality', GGUF);
    expect(forecast.bytesAfter).toBeLessThanOrEqual(180e6);
    expect(forecast.bytesAfter).toBeGreaterThan(180e6 - 10_000);
  });

  it('refuses what cannot be reached', () => {
    expect(() => planWidths(smollm, { kind: 'bytes', bytes: 50e6 }, 'quality', F16)).toThrow(PlanError);
  });
});

describe('bytes of the weights', () => {
  it('keep vectors in four bytes in GGUF files', () => {
    const vectors = smollm.hidden * (2 * 30 + 1);
    expect(weightBytes(smollm, GGUF)).toBe(2 * countParameters(smollm) + 2 * vectors);
    expect(weightBytes(smollm, F16)).toBe(2 * countParameters(smollm));
  });
});

describe('programs that open the result', () => {
  it('are told for both modes and formats', () => {
    for (const mode of ['everywhere', 'quality'] as const) {
      for (const target of [F16, GGUF]) {
        const { opensIn } = forecastSize(stories, { kind: 'ratio', ratio: 0.2 }, mode, target);
        expect(opensIn.map((row) => row.program).sort()).toEqual(['Jan', 'LM Studio', 'Ollama', 'llama.cpp', 'transformers', 'vLLM']);
        expect(opensIn.every((row) => row.note !== '')).toBe(true);
      }
    }
  });
});
