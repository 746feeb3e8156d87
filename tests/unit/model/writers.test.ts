import { describe, expect, it } from 'vitest';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeGgufModel } from '../../../main/engine/export/gguf-model';
import { writeSafetensorsModel } from '../../../main/engine/export/safetensors-model';
import { openGguf } from '../../../main/engine/formats/gguf/reader';
import { requireDiskSpace } from '../../../main/engine/formats/whole-file';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';
import type { ModelConfig } from '../../../main/engine/model/config';
import type { ModelView } from '../../../main/engine/model/view';
import { UnsupportedError, UsageError } from '../../../main/engine/support/errors';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { readAll, tinyConfig, tinyView, writeTinyFolder, type TinyOptions } from '../../support/tiny-model';

const EXAMPLE = fileURLToPath(new URL('../../../resources/example/stories260K', import.meta.url));
const QKV = ['q', 'k', 'v'] as const;
const UNEVEN = [{ heads: 4, kvHeads: 2, ffn: 24 }, { heads: 2, kvHeads: 1, ffn: 10 }];
const LLAMA3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** Opens what was written and expects the same model; `changes` are settings that the way there may change. */
async function expectSame(path: string, view: ModelView, changes: Partial<ModelConfig> = {}): Promise<void> {
  const found = await openCheckpoint(path);
  try {
    const { rope, ...config } = { ...view.config, ...changes };
    expect(found.config).toMatchObject(config);
    rope.inverseFrequencies.forEach((frequency, index) => {
      expect(Math.abs((found.config.rope.inverseFrequencies[index] ?? NaN) / frequency - 1)).toBeLessThan(1e-6);
    });
    expect(found.config.rope.attentionFactor).toBeCloseTo(rope.attentionFactor, 6);
    expect(await readAll(found)).toEqual(await readAll(view));
    expect(found.problems).toEqual([]);
  } finally {
    await found.close();
  }
}

async function readConfig(folder: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
}

const MODELS: readonly { name: string; options: TinyOptions; settings?: Record<string, unknown>; opensAs?: string }[] = [
  { name: 'Llama', options: {} },
  { name: 'Llama with a tied head', options: { tied: true } },
  { name: 'Llama with all biases', options: { biases: [...QKV, 'o', 'gate', 'up', 'down'] }, settings: { attention_bias: true, mlp_bias: true } },
  { name: "Llama with Llama 3's rotary rule", options: { headDim: 16, scaling: LLAMA3 } },
  { name: 'Llama with linear rotary scaling', options: { scaling: { rope_type: 'linear', factor: 4 } } },
  { name: 'Llama with YaRN', options: { headDim: 16, scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16, attention_factor: 1.3 } } },
  { name: 'Mistral', options: { family: 'mistral' }, settings: { sliding_window: null }, opensAs: 'llama' },
  { name: 'Qwen2', options: { family: 'qwen2', biases: QKV } },
  { name: 'uneven Llama', options: { layers: UNEVEN, tied: true }, settings: { num_attention_heads: [4, 2], num_key_value_heads: [2, 1], intermediate_size: [24, 10] } },
];

describe('A model written', () => {
  it.each(MODELS)('as a folder and read back is the same: $name', ({ options, settings }) =>
    withTemporaryFolder(async (root) => {
      const view = await writeTinyFolder(join(root, 'source'), options, { settings: settings ?? {} });
      const source = await openCheckpoint(join(root, 'source'));
      await writeSafetensorsModel(source, source, join(root, 'out'), { dtype: 'F32' });
      await source.close();
      await expectSame(join(root, 'out'), view);
    }));

  it.each(MODELS)('as GGUF and read back is the same: $name', ({ options, settings, opensAs }) =>
    withTemporaryFolder(async (root) => {
      const view = await writeTinyFolder(join(root, 'source'), options, { settings: settings ?? {} });
      const source = await openCheckpoint(join(root, 'source'));
      await writeGgufModel(source, source, join(root, 'out.gguf'), { dtype: 'F32' });
      await source.close();
      await expectSame(join(root, 'out.gguf'), view, { bosId: null, eosIds: [], ...(opensAs === undefined ? {} : { family: opensAs }) });
    }));

  it('as GGUF, then as a folder, then as GGUF again is byte-identical', () =>
    withTemporaryFolder(async (root) => {
      const first = await openCheckpoint(EXAMPLE);
      await writeGgufModel(first, first, join(root, 'a.gguf'), { dtype: 'F16' });
      await first.close();
      const second = await openCheckpoint(join(root, 'a.gguf'));
      await writeSafetensorsModel(second, second, join(root, 'folder'), { dtype: 'F16' });
      await writeGgufModel(second, second, join(root, 'b.gguf'), { dtype: 'F16' });
      await second.close();
      expect(await readFile(join(root, 'b.gguf'))).toEqual(await readFile(join(root, 'a.gguf')));
      const third = await openCheckpoint(join(root, 'folder'));
      expect(third.config).toMatchObject({ bosId: 1, eosIds: [2], rmsEpsilon: 1e-5 });
      expect([...third.sideFiles.keys()]).toEqual(['generation_config.json', 'tokenizer.json', 'tokenizer_config.json']);
      await third.close();
    }));

  it('from a folder to a folder twice is byte-identical, and carries the side files unchanged', () =>
    withTemporaryFolder(async (root) => {
      const first = join(root, '模型\u3000ü 1');
      const second = join(root, 'b');
      for (const [from, to] of [[EXAMPLE, first], [first, second]] as const) {
        const source = await openCheckpoint(from);
        await writeSafetensorsModel(source, source, to, { dtype: 'BF16' });
        await source.close();
      }
      const names = await readdir(first);
      expect(names.sort()).toEqual(['LICENSE', 'README.md', 'config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']);
      for (const name of names) expect(await readFile(join(second, name))).toEqual(await readFile(join(first, name)));
      for (const name of ['LICENSE', 'tokenizer.json']) expect(await readFile(join(first, name))).toEqual(await readFile(join(EXAMPLE, name)));
      expect(await readConfig(first)).toMatchObject({ torch_dtype: 'bfloat16', rope_theta: 10_000 });
    }));

  it('with a head count that does not divide the hidden width goes out as Mistral without a window', () =>
    withTemporaryFolder(async (root) => {
      await writeTinyFolder(join(root, 'source'));
      const source = await openCheckpoint(join(root, 'source'));
      const pruned = tinyView(tinyConfig({ layers: [{ heads: 3, kvHeads: 3, ffn: 16 }, { heads: 3, kvHeads: 3, ffn: 16 }] }));
      await writeSafetensorsModel(pruned, source, join(root, 'out'), { dtype: 'F32' });
      await source.close();
      expect(await readConfig(join(root, 'out'))).toMatchObject({
        architectures: ['MistralForCausalLM'], model_type: 'mistral', sliding_window: null, num_attention_heads: 3, intermediate_size: 16,
      });
      await expectSame(join(root, 'out'), pruned, { family: 'mistral' });
    }));

  it('with widths of its own per layer brings the code that transformers needs, and none when even again', () =>
    withTemporaryFolder(async (root) => {
      await writeTinyFolder(join(root, 'source'));
      const source = await openCheckpoint(join(root, 'source'));
      const uneven = tinyView(tinyConfig({ layers: UNEVEN }));
      await writeSafetensorsModel(uneven, source, join(root, 'uneven'), { dtype: 'F32' });
      await source.close();
      expect(await readFile(join(root, 'uneven', 'modeling_shear.py'), 'utf8')).toContain('class ShearForCausalLM(LlamaForCausalLM)');
      const second = await openCheckpoint(join(root, 'uneven'));
      await writeSafetensorsModel(tinyView(tinyConfig()), second, join(root, 'even'), { dtype: 'F32' });
      await second.close();
      const config = await readConfig(join(root, 'even'));
      expect(config).toMatchObject({ architectures: ['LlamaForCausalLM'] });
      expect(config).not.toHaveProperty('auto_map');
      expect(config).not.toHaveProperty('layer_widths');
      expect(await readdir(join(root, 'even'))).not.toContain('modeling_shear.py');
    }));

  it('as GGUF takes another architecture where its own would divide the hidden width by the head count', () =>
    withTemporaryFolder(async (root) => {
      await writeTinyFolder(join(root, 'source'), { family: 'qwen2', biases: QKV });
      const source = await openCheckpoint(join(root, 'source'));
      const half = { heads: 2, kvHeads: 1, ffn: 24 };
      const pruned = tinyView(tinyConfig({ family: 'qwen2', biases: QKV, layers: [half, half] }));
      await writeGgufModel(pruned, source, join(root, 'a.gguf'), { dtype: 'F32' });
      await source.close();
      await expectSame(join(root, 'a.gguf'), pruned, { family: 'llama', bosId: null, eosIds: [] });
    }));

  it('as GGUF keeps vectors in F32 and states licence, name and head width', () =>
    withTemporaryFolder(async (root) => {
      const source = await openCheckpoint(EXAMPLE);
      const progress: number[] = [];
      await writeGgufModel(source, source, join(root, 'a.gguf'), { dtype: 'F16', onProgress: ({ done, total }) => progress.push(done / total) });
      await source.close();
      expect(progress.at(-1)).toBe(1);
      const file = await openGguf(join(root, 'a.gguf'));
      expect(file.tensors.get('blk.0.attn_norm.weight')?.storedType).toBe('F32');
      expect(file.tensors.get('blk.0.attn_q.weight')?.storedType).toBe('F16');
      expect(file.metadata.get('general.license')).toBe('mit');
      expect(file.metadata.get('llama.attention.key_length')).toBe(8);
      expect(file.metadata.get('tokenizer.ggml.model')).toBe('llama');
      await file.close();
    }));
});

describe('A writer refuses', () => {
  it('a target that is in use, unless told to replace it', () =>
    withTemporaryFolder(async (root) => {
      const source = await openCheckpoint(EXAMPLE);
      await writeFile(join(root, 'a.gguf'), 'mine');
      await expect(writeGgufModel(source, source, join(root, 'a.gguf'), { dtype: 'F16' })).rejects.toThrow(UsageError);
      await expect(writeSafetensorsModel(source, source, root, { dtype: 'F16' })).rejects.toThrow(UsageError);
      expect(await readFile(join(root, 'a.gguf'), 'utf8')).toBe('mine');
      await writeGgufModel(source, source, join(root, 'a.gguf'), { dtype: 'F16', replace: true });
      await writeSafetensorsModel(source, source, join(root, 'folder'), { dtype: 'F16' });
      await writeSafetensorsModel(source, source, join(root, 'folder'), { dtype: 'F32', replace: true });
      expect(await readConfig(join(root, 'folder'))).toMatchObject({ torch_dtype: 'float32' });
      expect((await readdir(root)).sort()).toEqual(['a.gguf', 'folder']);
      await source.close();
    }));

  it('to start when the disk has too little room', () =>
    withTemporaryFolder(async (root) => {
      const tooMuch = Number.MAX_SAFE_INTEGER;
      await expect(requireDiskSpace(join(root, 'not', 'there', 'yet'), tooMuch)).rejects.toMatchObject({ code: 'disk', details: { neededBytes: tooMuch } });
      await requireDiskSpace(root, 1);
    }));

  it('biases that no class of transformers has', () =>
    withTemporaryFolder(async (root) => {
      const source = await openCheckpoint(EXAMPLE);
      const view = tinyView(tinyConfig({ biases: ['o'] }));
      await expect(writeSafetensorsModel(view, source, join(root, 'out'), { dtype: 'F32' })).rejects.toThrow(UnsupportedError);
      await source.close();
    }));

  it('nothing half: a weight that cannot be read and a cancellation in the middle leave no file', () =>
    withTemporaryFolder(async (root) => {
      const source = await openCheckpoint(EXAMPLE);
      const failing: ModelView = { ...source, layerRows: () => null, readLayer: (layer, role) => (layer === 3 ? Promise.reject(new Error('unreadable')) : source.readLayer(layer, role)) };
      await expect(writeSafetensorsModel(failing, source, join(root, 'a'), { dtype: 'F32' })).rejects.toThrow('unreadable');
      await expect(writeGgufModel(failing, source, join(root, 'a.gguf'), { dtype: 'F32' })).rejects.toThrow('unreadable');
      const abort = new AbortController();
      const options = { dtype: 'F32' as const, signal: abort.signal, onProgress: () => abort.abort() };
      await expect(writeSafetensorsModel(source, source, join(root, 'b'), options)).rejects.toThrow(/cancelled/);
      await expect(writeGgufModel(source, source, join(root, 'b.gguf'), options)).rejects.toThrow(/cancelled/);
      await source.close();
      expect(await readdir(root)).toEqual([]);
    }));
});
