import { mkdir, readdir, stat, readFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeViewLogits } from '../../../main/engine/evaluation/view-logits';
import { Executor } from '../../../main/engine/execution/executor';
import { ONNX_DATA, ONNX_MODEL, requireOnnxForm, writeOnnxModel } from '../../../main/engine/export/onnx-model';
import { onnxWeightBytes, roundedForOnnx, type OnnxFileType } from '../../../main/engine/export/onnx-types';
import { compareLogits } from '../../../main/engine/export/verify';
import { computeOnnxLogits } from '../../../main/engine/jobs/onnx-logits';
import { resolveRope } from '../../../main/engine/model/rope';
import { openCheckpoint, type Checkpoint } from '../../../main/engine/model/checkpoint';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { tinyConfig, tinyView, writeTinyFolder, type TinyOptions } from '../../support/tiny-model';

const families = path.join(import.meta.dirname, '..', '..', 'golden', 'data', 'families');
const TYPES: readonly OnnxFileType[] = ['F32', 'F16', 'INT4'];
/** Float32 sums in another order, through a few layers, at logits of a few units. */
const TOLERANCE = 1e-4;
const IDS = [3, 17, 9, 30, 4, 41, 22, 8, 1, 12, 40, 2, 33, 5, 19, 27, 11, 6, 38, 14];

let executor: Executor;
beforeAll(async () => {
  executor = await Executor.create({ threads: 1 });
});
afterAll(() => executor.dispose());

/** Largest difference of logits, with the cache and without it, in the file as programs run it and as it is verified. */
async function differences(folder: string, checkpoint: Checkpoint, type: OnnxFileType, ids: readonly number[]): Promise<number[]> {
  const out = path.join(folder, `onnx-${type}`);
  await writeOnnxModel(checkpoint, checkpoint, out, { dtype: type });
  const expected = await computeViewLogits(executor, roundedForOnnx(checkpoint, type), ids);
  const found: number[] = [];
  for (const [memory, singles] of [['fast', 0], ['fast', ids.length - 3], ['spare', 4]] as const) {
    const logits = await computeOnnxLogits(out, checkpoint.config, ids, { threads: 1, memory, singles });
    found.push(compareLogits(expected, logits).maxDifference);
  }
  return found;
}

describe('a model written as ONNX gives our logits, with its cache and without', () => {
  it.each(readdirSync(families))('%s, in every type, or is refused where heads are too narrow for the runtime', async (name) => {
    await withTemporaryFolder(async (folder) => {
      const checkpoint = await openCheckpoint(path.join(families, name));
      try {
        if (checkpoint.config.headDim % 8 !== 0) {
          await expect(requireOnnxForm(checkpoint.config, checkpoint)).rejects.toThrow('multiple of 8');
          await expect(writeOnnxModel(checkpoint, checkpoint, path.join(folder, 'out'), { dtype: 'F32' })).rejects.toThrow('multiple of 8');
          return;
        }
        const ids = IDS.map((id) => id % checkpoint.config.vocabulary);
        for (const type of TYPES) {
          for (const difference of await differences(folder, checkpoint, type, ids)) expect(difference, type).toBeLessThanOrEqual(TOLERANCE);
        }
      } finally {
        await checkpoint.close();
      }
    });
  });

  const layers = [{ heads: 4, kvHeads: 2, ffn: 24 }, { heads: 2, kvHeads: 1, ffn: 40 }, { heads: 6, kvHeads: 3, ffn: 17 }];
  const odd: readonly (readonly [string, TinyOptions])[] = [
    ['widths per layer', { layers, tied: true }],
    ['widths per layer with biases', { family: 'qwen2', layers, biases: ['q', 'k', 'v'] }],
    ['norms of heads as in Qwen3', { family: 'qwen3', layers }],
    ['caps, windows, scaled embedding and norms after as in Gemma 2', { family: 'gemma2', tied: true, design: { windows: [5, 0], attentionCap: 2, logitCap: 3, attentionScale: 0.2 } }],
    ['two kinds of rotary positions as in Gemma 3', { family: 'gemma3', tied: true, design: { windows: [5, 0], localRope: resolveRope(100, 8, null) } }],
    ['a hidden width that is no whole number of blocks', { hidden: 40, tied: true }],
  ];
  it.each(odd)('%s, in every type', async (_, options) => {
    await withTemporaryFolder(async (folder) => {
      const view = tinyView(tinyConfig(options), 3);
      await writeTinyFolder(path.join(folder, 'source'), { hidden: options.hidden ?? 32 });
      const source = await openCheckpoint(path.join(folder, 'source'));
      try {
        const checkpoint: Checkpoint = { ...source, config: view.config, readGlobal: view.readGlobal, readLayer: view.readLayer, globalRows: () => null, layerRows: () => null };
        for (const type of TYPES) {
          for (const difference of await differences(folder, checkpoint, type, IDS)) expect(difference, type).toBeLessThanOrEqual(TOLERANCE);
        }
      } finally {
        await source.close();
      }
    });
  });

  it('takes as many bytes as forecast, up to the beginnings of tensors', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeTinyFolder(path.join(folder, 'source'), { vocabulary: 512, hidden: 64, headDim: 16, layers: [{ heads: 4, kvHeads: 2, ffn: 160 }] });
      const source = await openCheckpoint(path.join(folder, 'source'));
      try {
        for (const type of TYPES) {
          const out = path.join(folder, type);
          await writeOnnxModel(source, source, out, { dtype: type });
          const { size } = await stat(path.join(out, ONNX_DATA));
          expect(Math.abs(size / onnxWeightBytes(source.config, type) - 1), type).toBeLessThan(0.01);
        }
      } finally {
        await source.close();
      }
    });
  });

  it('puts the settings of genai beside the model', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeTinyFolder(path.join(folder, 'source'));
      const source = await openCheckpoint(path.join(folder, 'source'));
      await writeOnnxModel(source, source, path.join(folder, 'out'), { dtype: 'F16' }).finally(() => source.close());
      const settings: unknown = JSON.parse(await readFile(path.join(folder, 'out', 'genai_config.json'), 'utf8'));
      expect(settings).toMatchObject({ model: { vocab_size: 48, decoder: { filename: ONNX_MODEL, num_hidden_layers: 2, head_size: 8 } } });
    });
  });

  it('leaves nothing behind when it is cancelled', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeTinyFolder(path.join(folder, 'source'));
      const source = await openCheckpoint(path.join(folder, 'source'));
      const abort = new AbortController();
      await mkdir(path.join(folder, 'place'));
      const writing = writeOnnxModel(source, source, path.join(folder, 'place', 'out'), { dtype: 'INT4', signal: abort.signal, onProgress: () => abort.abort() });
      await expect(writing.finally(() => source.close())).rejects.toMatchObject({ code: 'cancelled' });
      expect(await readdir(path.join(folder, 'place'))).toEqual([]);
    });
  });
});
