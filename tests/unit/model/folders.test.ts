import { describe, expect, it } from 'vitest';
import { cp, mkdir, readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeOnnxModel } from '../../../main/engine/export/onnx-model';
import { writeSafetensorsModel } from '../../../main/engine/export/safetensors-model';
import { writeSafetensors } from '../../../main/engine/formats/safetensors/writer';
import type { TensorToWrite } from '../../../main/engine/formats/tensor-stream';
import { inspectCheckpoint, openCheckpoint } from '../../../main/engine/model/checkpoint';
import { isLegalFile, readCard } from '../../../main/engine/model/side-files';
import type { ModelView } from '../../../main/engine/model/view';
import { EXAMPLE_MODEL } from '../../support/example-model';
import { rawSafetensors } from '../../support/raw-files';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { readAll, tinyConfig, tinyConfigJson, tinyTensors, tinyView, writeTinyFolder } from '../../support/tiny-model';

async function expectSameWeights(path: string, view: ModelView): Promise<void> {
  const checkpoint = await openCheckpoint(path);
  try {
    expect(await readAll(checkpoint)).toEqual(await readAll(view));
    expect(checkpoint.problems).toEqual([]);
  } finally {
    await checkpoint.close();
  }
}

describe('A folder opens', () => {
  it.each([
    { name: 'without the outermost module', rename: (name: string) => name.replace(/^model\./, '') },
    { name: 'inside a language_model', rename: (name: string) => `language_model.${name}` },
    { name: 'as model.language_model with the head outside', rename: (name: string) => name.replace(/^model\./, 'model.language_model.') },
    { name: 'compiled', rename: (name: string) => `_orig_mod.${name}` },
    { name: 'wrapped by PEFT', rename: (name: string) => `base_model.model.${name}` },
  ])('whose tensors are named $name', ({ rename }) =>
    withTemporaryFolder(async (folder) => {
      const view = await writeTinyFolder(folder, {}, { tensors: (tensors) => tensors.map((tensor): TensorToWrite => ({ ...tensor, name: rename(tensor.name) })) });
      await expectSameWeights(folder, view);
    }));

  it('with consolidated weights, an adapter and other strays beside its own, in one file or in shards without an index', () =>
    withTemporaryFolder(async (folder) => {
      const view = tinyView(tinyConfig());
      const tensors = tinyTensors(view);
      await writeFile(join(folder, 'config.json'), JSON.stringify(tinyConfigJson(view.config)));
      for (const stray of ['consolidated.safetensors', 'consolidated-00001-of-00002.safetensors', 'adapter_model.safetensors']) {
        await writeFile(join(folder, stray), rawSafetensors({}, 0));
      }
      await writeFile(join(folder, 'pytorch_model.bin'), 'x');
      await writeSafetensors(join(folder, 'model-00001-of-00002.safetensors'), tensors.slice(0, 5));
      await writeSafetensors(join(folder, 'model-00002-of-00002.safetensors'), tensors.slice(5));
      await expectSameWeights(folder, view);
      await writeSafetensors(join(folder, 'model.safetensors'), tensors);
      await expectSameWeights(folder, view);
      await expectSameWeights(join(folder, 'model-00002-of-00002.safetensors'), view);
    }));

  it('of a cache by its entry, whose ref names the version', () =>
    withTemporaryFolder(async (root) => {
      const view = await writeTinyFolder(join(root, 'model'));
      const entry = join(root, 'models--maker--tiny');
      await mkdir(join(entry, 'refs'), { recursive: true });
      await writeFile(join(entry, 'refs', 'main'), 'abc\n');
      await cp(join(root, 'model'), join(entry, 'snapshots', 'abc'), { recursive: true });
      await expectSameWeights(entry, view);
    }));

  it.each(['F64', 'F32', 'F16', 'BF16'] as const)('with weights in %s, and whole numbers that are no weights', (dtype) =>
    withTemporaryFolder(async (folder) => {
      const view = await writeTinyFolder(folder, { tied: true });
      const all = tinyTensors(view);
      const bytes = { F64: 8, F32: 4, F16: 2, BF16: 2 }[dtype];
      let at = 0;
      const entries = all.map(({ name, shape }) => {
        const begin = at;
        at += bytes * shape.reduce((product, size) => product * size, 1);
        return [name, { dtype, shape, data_offsets: [begin, at] }] as const;
      });
      const header = { ...Object.fromEntries(entries), step: { dtype: 'I64', shape: [], data_offsets: [at, at + 8] } };
      const data = rawSafetensors(header, at + 8);
      // One number, 1, at the end of the first tensor.
      const first = data.length - (at + 8) + (entries[0]?.[1].data_offsets[1] ?? 0);
      if (dtype === 'F64') data.writeDoubleLE(1, first - 8);
      if (dtype === 'F32') data.writeFloatLE(1, first - 4);
      if (dtype === 'F16') data.writeUInt16LE(0x3c00, first - 2);
      if (dtype === 'BF16') data.writeUInt16LE(0x3f80, first - 2);
      await writeFile(join(folder, 'model.safetensors'), data);
      const checkpoint = await openCheckpoint(folder);
      expect((await checkpoint.readGlobal('embedding')).data.at(-1)).toBe(1);
      await checkpoint.close();
      const { problems, dtype: found } = await inspectCheckpoint(folder);
      expect(found).toBe(dtype);
      expect(problems.map(({ code }) => code)).toEqual(['extra-tensor', 'no-tokenizer']);
    }));
});

describe('What is told', () => {
  it('about sizes adds up by part', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      const { perLayer, linearParameters, embeddingParameters, headParameters, parameters } = await inspectCheckpoint(folder);
      const sum = (key: 'parameters' | 'attentionParameters' | 'mlpParameters'): number => perLayer.reduce((total, layer) => total + layer[key], 0);
      expect(sum('attentionParameters') + sum('mlpParameters')).toBe(linearParameters);
      expect(sum('attentionParameters')).toBe(2 * (32 * 32 * 2 + 16 * 32 * 2));
      expect([embeddingParameters, headParameters]).toEqual([48 * 32, 48 * 32]);
      // Two norms a layer and the last one are all the rest.
      expect(parameters - linearParameters - embeddingParameters - headParameters).toBe(5 * 32);
    }));

  it('counts left-over rotary buffers (case 10) neither as weights nor as bytes', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      const { bytes } = await inspectCheckpoint(folder);
      const buffer = { name: 'model.layers.0.self_attn.rotary_emb.inv_freq', type: 'F32' as const, shape: [4], read: () => Promise.resolve(new Float32Array(4)) };
      await writeTinyFolder(folder, {}, { tensors: (tensors) => [...tensors, buffer] });
      expect((await inspectCheckpoint(folder)).bytes).toBe(bytes);
    }));
});

describe('Legal files and cards', () => {
  it('are known by their names', () => {
    const legal = ['LICENSE', 'LICENSE.txt', 'License.md', 'LICENCE', 'MODEL_LICENSE', 'gemma-license.pdf', 'LICENSE-2.0', 'NOTICE', 'Notice.txt', 'USE_POLICY.md', 'use-policy.md', 'COPYING', 'Acceptable_Use_Policy.md'];
    expect(legal.filter((name) => !isLegalFile(name))).toEqual([]);
    expect(['license.py', 'notice.safetensors', 'unnoticed.txt', 'config.json', 'policy.md', 'license.json'].filter(isLegalFile)).toEqual([]);
  });

  it('state the licence in three fields, and the base model plainly or as a list', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'README.md');
      const files = new Map([['README.md', path]]);
      await writeFile(path, '---\r\nlicense: other\r\nlicense_name: "own-1"\r\nlicense_link: https://a.b/c\r\nbase_model: x/y\r\n---\r\n');
      expect(await readCard(files)).toEqual({ licence: { licence: 'other', name: 'own-1', link: 'https://a.b/c' }, base: 'x/y' });
      await writeFile(path, '---\nlicense:\nbase_model:\n  - x/z\nlanguage: en\n---\nlicense: gpl\n');
      expect(await readCard(files)).toEqual({ licence: null, base: 'x/z' });
      expect(await readCard(new Map())).toEqual({ licence: null, base: null });
    }));
});

it('A folder of the size of 7B is summed up from its headers within a second, and next to nothing of it is read', () =>
  withTemporaryFolder(async (folder) => {
    const [hidden, ffn, vocabulary, count] = [4096, 11_008, 32_000, 32];
    const linears = { 'self_attn.q_proj': [hidden, hidden], 'self_attn.k_proj': [hidden, hidden], 'self_attn.v_proj': [hidden, hidden], 'self_attn.o_proj': [hidden, hidden], 'mlp.gate_proj': [ffn, hidden], 'mlp.up_proj': [ffn, hidden], 'mlp.down_proj': [hidden, ffn] };
    const layers = Array.from({ length: count }, (_, layer) =>
      Object.entries({ input_layernorm: [hidden], post_attention_layernorm: [hidden], ...linears }).map(([name, shape]) => [`model.layers.${layer}.${name}.weight`, shape] as const));
    const tensors = [['model.embed_tokens.weight', [vocabulary, hidden]] as const, ...layers.flat(), ['model.norm.weight', [hidden]] as const, ['lm_head.weight', [vocabulary, hidden]] as const];
    let end = 0;
    const header = Object.fromEntries(tensors.map(([name, shape]) => [name, { dtype: 'F16', shape, data_offsets: [end, (end += 2 * shape.reduce((product, size) => product * size, 1))] }]));
    const head = rawSafetensors(header, 0);
    const path = join(folder, 'model.safetensors');
    await writeFile(path, head);
    // Nothing but holes: the file takes no room on the disk.
    await truncate(path, head.length + end);
    await writeFile(join(folder, 'config.json'), JSON.stringify({
      architectures: ['LlamaForCausalLM'], vocab_size: vocabulary, hidden_size: hidden, intermediate_size: ffn, num_hidden_layers: count, num_attention_heads: 32, rms_norm_eps: 1e-5, tie_word_embeddings: false,
    }));
    const startedMs = performance.now();
    const found = await inspectCheckpoint(folder);
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect(found).toMatchObject({ family: 'llama', parameters: 6_738_415_616, bytes: end, layers: count, tied: false, dtype: 'F16' });
    const opened = await openCheckpoint(folder);
    expect(opened.bytesRead()).toBeLessThan(2 * head.length);
    await opened.close();
  }));

it('What belongs to a model travels byte for byte, whatever it is', () =>
  withTemporaryFolder(async (root) => {
    await writeTinyFolder(join(root, 'source'), { vocabulary: 512 });
    const names = ['LICENSE', 'NOTICE.txt', 'USE_POLICY.md', 'README.md', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'tokenizer.model', 'special_tokens_map.json', 'added_tokens.json', 'vocab.json', 'merges.txt', 'chat_template.jinja'];
    for (const name of names) {
      const example = join(EXAMPLE_MODEL, name);
      if (['tokenizer.json', 'tokenizer_config.json'].includes(name)) await cp(example, join(root, 'source', name));
      else await writeFile(join(root, 'source', name), name.endsWith('.json') ? '{ "x" :\r\n1 }' : `${name}\r\n\u00fc\n`);
    }
    for (const stray of ['notes.txt', 'training_args.bin', 'modeling_x.py']) await writeFile(join(root, 'source', stray), 'x');
    const source = await openCheckpoint(join(root, 'source'));
    await writeSafetensorsModel(source, source, join(root, 'safetensors'), { dtype: 'F16' });
    await writeOnnxModel(source, source, join(root, 'onnx'), { dtype: 'F16' });
    await source.close();
    for (const [place, own] of [['safetensors', ['config.json', 'model.safetensors']], ['onnx', ['genai_config.json', 'model.onnx', 'model.onnx.data']]] as const) {
      expect((await readdir(join(root, place))).sort()).toEqual([...names, ...own].sort());
      for (const name of names) expect(await readFile(join(root, place, name))).toEqual(await readFile(join(root, 'source', name)));
    }
  }));
