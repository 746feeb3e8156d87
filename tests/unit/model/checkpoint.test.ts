import { describe, expect, it } from 'vitest';
import { cp, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors } from '../../../main/engine/formats/safetensors/writer';
import { inspectCheckpoint, openCheckpoint } from '../../../main/engine/model/checkpoint';
import type { ModelView } from '../../../main/engine/model/view';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { readAll, tinyConfig, tinyConfigJson, tinyTensors, tinyView, writeTinyFolder } from '../../support/tiny-model';

const EXAMPLE = fileURLToPath(new URL('../../../resources/example/stories260K', import.meta.url));

async function expectSameWeights(path: string, view: ModelView): Promise<void> {
  const checkpoint = await openCheckpoint(path);
  try {
    expect(await readAll(checkpoint)).toEqual(await readAll(view));
  } finally {
    await checkpoint.close();
  }
}

describe('The bundled example', () => {
  it('is summarised from its headers', async () => {
    const found = await inspectCheckpoint(EXAMPLE);
    expect(found).toMatchObject({
      kind: 'huggingface', family: 'llama', parameters: 260_032, layers: 5, hidden: 64, heads: 8, kvHeads: 4, headDim: 8,
      ffn: 172, vocabulary: 512, dtype: 'F32', tied: true, tokenizer: 'SentencePiece BPE', licence: 'mit', problems: [],
    });
  });

  it('opens by its folder, its config.json and its weights alike', async () => {
    for (const path of [EXAMPLE, join(EXAMPLE, 'config.json'), join(EXAMPLE, 'model.safetensors')]) {
      const checkpoint = await openCheckpoint(path);
      expect(checkpoint.config.layers).toHaveLength(5);
      expect([...checkpoint.sideFiles.keys()]).toContain('tokenizer.json');
      await checkpoint.close();
    }
  });
});

describe('A Hugging Face folder', () => {
  it.each([
    { name: 'of Llama with a head of its own', options: {} },
    { name: 'of Llama with a tied head', options: { tied: true } },
    { name: 'of Llama with biases on q, k, v, o', options: { biases: ['q', 'k', 'v', 'o'] as const }, settings: { attention_bias: true } },
    { name: 'of Llama with biases on all seven linears', options: { biases: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const }, settings: { attention_bias: true, mlp_bias: true } },
    { name: 'of Qwen2', options: { family: 'qwen2', biases: ['q', 'k', 'v'] as const } },
    { name: 'of Mistral', options: { family: 'mistral' }, settings: { sliding_window: null } },
  ])('$name opens without a problem and gives its weights', ({ options, settings }) =>
    withTemporaryFolder(async (folder) => {
      const view = await writeTinyFolder(folder, options, { settings: settings ?? {} });
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.problems).toEqual([]);
      expect(checkpoint.config).toEqual(view.config);
      expect(await readAll(checkpoint)).toEqual(await readAll(view));
      await checkpoint.close();
    }));

  it('in shards with an index, or in numbered shards without one, is one model', () =>
    withTemporaryFolder(async (folder) => {
      const view = tinyView(tinyConfig());
      const tensors = tinyTensors(view);
      const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
      await writeFile(join(folder, 'config.json'), JSON.stringify(tinyConfigJson(view.config)));
      await writeSafetensors(join(folder, names[0] ?? ''), tensors.slice(0, 7));
      await writeSafetensors(join(folder, names[1] ?? ''), tensors.slice(7));
      await expectSameWeights(folder, view);
      const weightMap = Object.fromEntries(tensors.map((tensor, index) => [tensor.name, names[index < 7 ? 0 : 1]]));
      await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: weightMap }));
      await expectSameWeights(folder, view);
      await expectSameWeights(join(folder, 'model.safetensors.index.json'), view);
    }));

  it('with absent or null head_dim and absent key/value heads takes them from the other settings', () =>
    withTemporaryFolder(async (folder) => {
      const even = { heads: 4, kvHeads: 4, ffn: 24 };
      await writeTinyFolder(folder, { layers: [even, even] }, { settings: { head_dim: null, num_key_value_heads: undefined } });
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.config).toMatchObject({ headDim: 8, layers: [even, even] });
      await checkpoint.close();
    }));

  it('with heads that do not fill the hidden width (case 7) works', () =>
    withTemporaryFolder(async (folder) => {
      const odd = { heads: 24, kvHeads: 8, ffn: 16 };
      const view = await writeTinyFolder(folder, { hidden: 112, headDim: 8, layers: [odd] });
      await expectSameWeights(folder, view);
    }));

  it('with rotary settings in the new spelling is read like the old one', () =>
    withTemporaryFolder(async (folder) => {
      const settings = { rope_theta: undefined, rope_scaling: undefined, rope_parameters: { rope_theta: 500, rope_type: 'linear', factor: 2 } };
      await writeTinyFolder(folder, {}, { settings });
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.config.rope.theta).toBe(500);
      expect(checkpoint.config.rope.inverseFrequencies[0]).toBe(0.5);
      await checkpoint.close();
    }));

  it('with widths per layer, as lists or under layer_widths, is read', () =>
    withTemporaryFolder(async (folder) => {
      const layers = [{ heads: 4, kvHeads: 2, ffn: 24 }, { heads: 2, kvHeads: 1, ffn: 10 }];
      const widths = { num_attention_heads: [4, 2], num_key_value_heads: [2, 1], intermediate_size: [24, 10] };
      const view = await writeTinyFolder(folder, { layers }, { settings: widths });
      await expectSameWeights(folder, view);
      await writeTinyFolder(folder, { layers }, { settings: { architectures: ['ShearForCausalLM'], layer_widths: widths } });
      await expectSameWeights(folder, view);
    }));

  it('with a sliding window shorter than its context says so for each layer', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, { family: 'mistral' }, { settings: { sliding_window: 16 } });
      const checkpoint = await openCheckpoint(folder);
      await checkpoint.close();
      expect(checkpoint.config.design.windows).toEqual([16, 16]);
    }));

  it('of a Hugging Face cache, made of relative links, opens, and a broken link is named (case 17)', () =>
    withTemporaryFolder(async (root) => {
      const entry = join(root, 'models--maker--tiny');
      const snapshot = join(entry, 'snapshots', 'abc123');
      const view = await writeTinyFolder(join(entry, 'blobs'));
      await mkdir(snapshot, { recursive: true });
      await rename(join(entry, 'blobs', 'config.json'), join(entry, 'blobs', 'aaaa'));
      await rename(join(entry, 'blobs', 'model.safetensors'), join(entry, 'blobs', 'bbbb'));
      await symlink('../../blobs/aaaa', join(snapshot, 'config.json'));
      await symlink('../../blobs/bbbb', join(snapshot, 'model.safetensors'));
      await expectSameWeights(snapshot, view);
      await expectSameWeights(join(snapshot, 'config.json'), view);
      expect((await inspectCheckpoint(snapshot)).name).toBe('maker/tiny');
      await rename(join(entry, 'blobs', 'bbbb'), join(entry, 'blobs', 'cccc'));
      await expect(openCheckpoint(snapshot)).rejects.toThrow(/model\.safetensors is a link whose target is not there/);
    }));

  it('whose name has an ideographic space and letters with marks (case 16) works', () =>
    withTemporaryFolder(async (root) => {
      const folder = join(root, '模型\u3000ü 1');
      const view = await writeTinyFolder(folder);
      await expectSameWeights(folder, view);
    }));

  it('states its licence in its card, or by the name of the licence file', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      const licence = async (): Promise<string> => (await inspectCheckpoint(folder)).licence;
      expect(await licence()).toBe('unknown');
      await cp(join(EXAMPLE, 'LICENSE'), join(folder, 'LICENSE'));
      expect(await licence()).toBe('LICENSE');
      await writeFile(join(folder, 'README.md'), '---\nlicense: other\nlicense_name: my-licence\n---\n# x\n');
      expect(await licence()).toBe('my-licence');
      expect(await readFile(join(folder, 'LICENSE'), 'utf8')).toContain('MIT');
    }));
});
