/** Which type each weight of a GGUF file gets: llama.cpp's mixes, what stands in where rows do not fit, exact sizes. */
import { describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { writeGgufModel } from '../../../main/engine/export/gguf-model';
import { describeFallbacks, ggufWeightBytes, globalType, layerType } from '../../../main/engine/export/gguf-types';
import { forecastSize, weightBytes } from '../../../main/engine/jobs/size';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';
import type { ModelConfig } from '../../../main/engine/model/config';
import { GGUF_DTYPES } from '../../../preload/contract/recipe';
import { EXAMPLE_MODEL } from '../../support/example-model';
import { withTemporaryFolder } from '../../support/temporary-folder';

async function exampleConfig(change: Partial<ModelConfig> = {}): Promise<ModelConfig> {
  const source = await openCheckpoint(EXAMPLE_MODEL);
  await source.close();
  return { ...source.config, ...change };
}

function layers(count: number, ffn: number): ModelConfig['layers'] {
  return Array.from({ length: count }, () => ({ heads: 8, kvHeads: 4, ffn }));
}

describe('the types of a mix', () => {
  it('are finer for v and down in the first and last eighth and every third layer between', async () => {
    const config = await exampleConfig({ hidden: 256, headDim: 32, layers: layers(32, 512) });
    const finer = config.layers.flatMap((_, layer) => (layerType(config, layer, 'down', 'Q4_K_M').type === 'Q6_K' ? [layer] : []));
    expect(finer).toEqual([0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
    expect(layerType(config, 6, 'v', 'Q4_K_M').type).toBe('Q6_K');
    expect(layerType(config, 5, 'v', 'Q4_K_M').type).toBe('Q4_K');
    expect(layerType(config, 6, 'gate', 'Q4_K_M').type).toBe('Q4_K');
    expect(layerType(config, 3, 'v', 'Q4_K_S').type).toBe('Q5_K');
    expect(layerType(config, 6, 'attentionNorm', 'Q4_K_M').type).toBe('F32');
    expect(describeFallbacks(config, 'Q4_K_M')).toEqual([]);
  });

  it('keep the head finer, and the embedding only where it is the head', async () => {
    const untied = await exampleConfig({ hidden: 256, tied: false });
    expect(globalType(untied, 'head', 'Q4_K_M').type).toBe('Q6_K');
    expect(globalType(untied, 'embedding', 'Q4_K_M').type).toBe('Q4_K');
    expect(globalType({ ...untied, tied: true }, 'embedding', 'Q4_0').type).toBe('Q6_K');
    expect(globalType(untied, 'head', 'Q8_0').type).toBe('Q8_0');
    expect(globalType(untied, 'head', 'F16').type).toBe('F16');
  });

  it('fall back where rows are no whole blocks, and say so', async () => {
    const config = await exampleConfig({ hidden: 64, tied: true, layers: layers(2, 72) });
    expect(layerType(config, 1, 'q', 'Q4_K_M').type).toBe('Q5_0');
    expect(layerType(config, 1, 'q', 'Q5_K_M').type).toBe('Q5_1');
    expect(layerType(config, 1, 'q', 'Q6_K').type).toBe('Q8_0');
    expect(layerType(config, 1, 'down', 'Q4_K_M').type).toBe('F16');
    expect(globalType(config, 'embedding', 'Q4_K_M').type).toBe('Q8_0');
    expect(describeFallbacks(config, 'Q4_0').join()).toContain('Stored as F16 instead of Q4_0, whose blocks of 32 do not fit rows of 72 weights: down of 2 layers.');
  });
});

describe('the size of a file', () => {
  it.each(GGUF_DTYPES)('as %s is known exactly before it is written', (dtype) =>
    withTemporaryFolder(async (folder) => {
      const source = await openCheckpoint(EXAMPLE_MODEL);
      const path = join(folder, 'a.gguf');
      await writeGgufModel(source, source, path, { dtype });
      const written = await openCheckpoint(path);
      expect(written.sizeBytes).toBe(ggufWeightBytes(source.config, dtype));
      await written.close();
      await source.close();
    }));

  it('is kept below a wished one with widths of whole blocks', async () => {
    const config = await exampleConfig({ hidden: 256, headDim: 32, vocabulary: 4096, layers: layers(16, 1024) });
    const target = { format: 'gguf', dtype: 'Q4_K_M' } as const;
    const whole = weightBytes(config, target);
    for (const share of [0.99, 0.9, 0.8, 0.6]) {
      const forecast = forecastSize(config, { kind: 'bytes', bytes: Math.floor(whole * share) }, 'everywhere', target);
      expect(forecast.bytesAfter).toBeLessThanOrEqual(whole * share);
      expect(forecast.ffn % 32).toBe(0);
    }
    expect(forecastSize(config, { kind: 'bytes', bytes: whole }, 'everywhere', target)).toMatchObject({ ffn: 1024, bytesAfter: whole });
    expect(forecastSize(config, { kind: 'ratio', ratio: 0.2 }, 'everywhere', target).ffn % 32).toBe(0);
    const quality = forecastSize(config, { kind: 'bytes', bytes: Math.floor(whole * 0.9) }, 'quality', target);
    expect(quality.bytesAfter).toBeLessThanOrEqual(whole * 0.9);
    expect(forecastSize(config, { kind: 'bytes', bytes: whole }, 'quality', target)).toMatchObject({ removedFraction: 0, bytesAfter: whole });
  });
});
