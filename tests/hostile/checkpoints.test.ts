import { describe, expect, it } from 'vitest';
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors } from '../../main/engine/formats/safetensors/writer';
import { inspectCheckpoint, openCheckpoint } from '../../main/engine/model/checkpoint';
import { AppError, FormatError, NotFoundError, UnsupportedError } from '../../main/engine/support/errors';
import { rawSafetensors } from '../support/raw-files';
import { withTemporaryFolder } from '../support/temporary-folder';
import { tinyConfig, tinyConfigJson, tinyTensors, tinyView, writeTinyFolder, type TinyOptions } from '../support/tiny-model';

const MISMATCHED = fileURLToPath(new URL('../data/mismatched-llama', import.meta.url));

/** The error of opening `path`. */
async function refusal(path: string): Promise<AppError> {
  const outcome = await openCheckpoint(path).then(
    async (checkpoint) => checkpoint.close(),
    (error: unknown) => error,
  );
  if (outcome instanceof AppError) return outcome;
  throw new Error(`expected a refusal of ${path}, got ${String(outcome)}`);
}

async function writeShards(folder: string, options: TinyOptions = {}): Promise<string[]> {
  const view = tinyView(tinyConfig(options));
  const tensors = tinyTensors(view);
  const names = [1, 2, 3].map((part) => `model-0000${part}-of-00003.safetensors`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(tinyConfigJson(view.config)));
  for (const [part, name] of names.entries()) {
    await writeSafetensors(join(folder, name), tensors.filter((_, index) => index % 3 === part));
  }
  const weightMap = Object.fromEntries(tensors.map((tensor, index) => [tensor.name, names[index % 3]]));
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
  return names;
}

describe('What is no model is refused in words:', () => {
  it('nothing there, an empty folder, a text file, a pickle', () =>
    withTemporaryFolder(async (folder) => {
      expect(await refusal(join(folder, 'absent'))).toBeInstanceOf(NotFoundError);
      expect((await refusal(folder)).message).toContain('neither a config.json nor a .gguf');
      await writeFile(join(folder, 'notes.txt'), 'hello');
      expect((await refusal(join(folder, 'notes.txt'))).message).toContain('notes.txt is not a model file');
      await writeFile(join(folder, 'pytorch_model.bin'), 'x');
      expect(await refusal(join(folder, 'pytorch_model.bin'))).toBeInstanceOf(UnsupportedError);
    }));

  it('a folder with pickled weights only, with a hint to the safe form', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      await rm(join(folder, 'model.safetensors'));
      await writeFile(join(folder, 'pytorch_model.bin'), 'x');
      const error = await refusal(folder);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error.message).toContain('pytorch_model.bin');
      expect(error.hint).toContain('.safetensors');
    }));

  it.each<{ name: string; family: string; settings: Record<string, unknown>; words: RegExp }>([
    { name: 'values that are limited', family: 'olmo', settings: { clip_qkv: 8 }, words: /clip_qkv 8/ },
    { name: 'a context stretched by longrope', family: 'phi3', settings: { rope_scaling: { type: 'longrope', short_factor: [], long_factor: [] } }, words: /longrope/ },
    { name: 'scores scaled by the layer', family: 'gpt2', settings: { scale_attn_by_inverse_layer_idx: true }, words: /scale_attn_by_inverse_layer_idx true/ },
    { name: 'an activation that is not known', family: 'gpt2', settings: { activation_function: 'relu' }, words: /activation_function as "relu"/ },
    { name: 'layers that are no attention', family: 'gemma3', settings: { sliding_window: 8, layer_types: ['sliding_attention', 'linear_attention'] }, words: /linear_attention/ },
    { name: 'pictures beside text', family: 'gemma3', settings: { architectures: ['Gemma3ForConditionalGeneration'] }, words: /Gemma3ForConditionalGeneration/ },
  ])('mathematics that is not implemented: $name', ({ family, settings, words }) =>
    withTemporaryFolder(async (folder) => {
      const even = { heads: 4, kvHeads: 4, ffn: 24 };
      await writeTinyFolder(folder, { family, layers: [even, even], biases: family === 'gpt2' ? ['q', 'k', 'v', 'o', 'up', 'down'] : [] }, { settings });
      const error = await refusal(folder);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error.message).toMatch(words);
    }));

  it('an architecture that is not known, by name', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, {}, { settings: { architectures: ['FalconForCausalLM'] } });
      const error = await refusal(folder);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error.message).toContain('FalconForCausalLM');
    }));
});

describe('A safetensors file is refused', () => {
  const F32 = (shape: readonly number[], begin: number, end: number): object => ({ dtype: 'F32', shape, data_offsets: [begin, end] });
  it.each([
    { name: 'that names a tensor twice (case 1)', header: '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', data: 8, words: /"a" twice/ },
    { name: 'whose offsets are shorter than its shape (case 2)', header: { w: F32([4, 4], 0, 32) }, data: 32, words: /"w" 32 bytes.*\[4, 4\] in F32 needs 64 bytes/ },
    { name: 'whose tensors overlap', header: { a: F32([2], 0, 8), b: F32([2], 4, 12) }, data: 12, words: /"b" overlap/ },
    { name: 'with a hole', header: { a: F32([1], 0, 4), b: F32([1], 8, 12) }, data: 12, words: /4 bytes unused before tensor "b"/ },
    { name: 'with bytes left over', header: { a: F32([1], 0, 4) }, data: 9, words: /5 bytes after its last tensor/ },
    { name: 'that is too short for its tensors', header: { a: F32([100], 0, 400) }, data: 10, words: /390 bytes are missing/ },
    { name: 'of an 8-bit floating type', header: { a: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, data: 4, words: /compressed by 8-bit floating point/ },
    { name: 'of a type that nobody knows, by name', header: { a: { dtype: 'F6_E2M3', shape: [4], data_offsets: [0, 3] } }, data: 3, words: /F6_E2M3/ },
    { name: 'with a shape beyond counting', header: { a: F32([2 ** 40, 2 ** 40], 0, 4) }, data: 4, words: /more elements than/ },
    { name: 'with a negative size', header: { a: F32([-1], 0, 4) }, data: 4, words: /no valid shape/ },
    { name: 'whose header is no JSON', header: '{"a":', data: 0, words: /not valid JSON/ },
    { name: 'whose header is a list', header: '[]', data: 0, words: /holds a list/ },
  ])('$name', ({ header, data, words }) =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      await writeFile(join(folder, 'model.safetensors'), rawSafetensors(header, data));
      expect((await refusal(folder)).message).toMatch(words);
    }));

  it('whose header length is absurd, and one of 7 bytes', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      await writeFile(join(folder, 'model.safetensors'), Buffer.alloc(64, 0xff));
      expect((await refusal(folder)).message).toMatch(/states a header of 18446744073709551615 bytes/);
      await writeFile(join(folder, 'model.safetensors'), Buffer.alloc(7));
      expect((await refusal(folder)).message).toMatch(/too short/);
    }));
});

describe('A checkpoint in shards', () => {
  it('that lost the last 1000 bytes of one (case 4) is refused with file and bytes, before anything is computed', () =>
    withTemporaryFolder(async (folder) => {
      const [, second = ''] = await writeShards(folder);
      const { length } = await readFile(join(folder, second));
      await truncate(join(folder, second), length - 1000);
      expect((await refusal(folder)).message).toBe(`${second} is cut short: 1000 bytes are missing at its end.`);
    }));

  it('that lost two of them (case 5) is refused with both names at once, with or without an index', () =>
    withTemporaryFolder(async (folder) => {
      const [first = '', second = '', third = ''] = await writeShards(folder);
      await rm(join(folder, first));
      await rm(join(folder, third));
      const words = `2 of 3 weight files are not in the folder: ${first}, ${third}.`;
      expect((await refusal(folder)).message).toBe(words);
      await rm(join(folder, 'model.safetensors.index.json'));
      expect((await refusal(join(folder, second))).message).toBe(words);
    }));

  it('with the index of another split is refused with the tensors that are nowhere', () =>
    withTemporaryFolder(async (folder) => {
      const [first = ''] = await writeShards(folder);
      const index = { weight_map: { 'model.layers.7.self_attn.q_proj.weight': first, 'model.norm.weight': first } };
      await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
      expect((await refusal(folder)).message).toContain('promises 2 tensors that none of its files holds: model.layers.7');
    }));

  it('whose index points out of the folder is refused, by name and by link', () =>
    withTemporaryFolder(async (root) => {
      const folder = join(root, 'model');
      await writeTinyFolder(join(root, 'other'));
      await writeTinyFolder(folder);
      for (const name of ['../other/model.safetensors', join(root, 'other', 'model.safetensors')]) {
        await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { 'model.norm.weight': name } }));
        expect((await refusal(folder)).message).toContain("leads out of the model's folder");
      }
      await rm(join(folder, 'model.safetensors.index.json'));
      await rm(join(folder, 'model.safetensors'));
      await symlink('../other/model.safetensors', join(folder, 'model.safetensors'));
      expect((await refusal(folder)).message).toContain("a link that leads out of the model's folder");
    }));
});

describe('A configuration that does not fit', () => {
  it('the tensors is refused with everything that is missing or misshapen', async () => {
    const error = await refusal(MISMATCHED);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(/191 of the 200 tensors.*missing/);
    expect(error.message).toMatch(/model\.embed_tokens\.weight is \[100, 64\] instead of \[32000, 2048\]/);
    expect((await inspectCheckpoint(MISMATCHED)).problems.filter((problem) => problem.severity === 'error')).toHaveLength(2);
  });

  it('itself is refused with all its wrong settings together', () =>
    withTemporaryFolder(async (folder) => {
      const settings = { hidden_size: 'many', num_key_value_heads: 3, vocab_size: undefined, hidden_act: 'relu6', quantization_config: { quant_method: 'gptq', bits: 4 } };
      await writeTinyFolder(folder, {}, { settings });
      const { message } = await refusal(folder);
      for (const words of ['hidden_size as "many"', 'num_key_value_heads as 3', 'does not state vocab_size', 'relu6', 'GPTQ (4 bits)']) {
        expect(message).toContain(words);
      }
    }));

  it.each(['longrope', 'ntk'])('this program by its rotary rule %s (case 8) is refused by name', (rule) =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, {}, { settings: { rope_scaling: { type: rule, factor: 2 } } });
      const error = await refusal(folder);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error.message).toContain(rule);
    }));

  it('its own sizes to the machine (absurd layer counts and head widths) is refused quickly', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, {}, { settings: { num_hidden_layers: 2_000_000_000 } });
      expect((await refusal(folder)).message).toContain('num_hidden_layers');
      await writeTinyFolder(folder, {}, { settings: { head_dim: 2_000_000_000 } });
      expect((await refusal(folder)).message).toContain('head_dim');
      // Left out, it follows from other settings, which may be as wrong.
      await writeTinyFolder(folder, {}, { settings: { head_dim: null, hidden_size: 2_000_000, num_attention_heads: 1 } });
      expect((await refusal(folder)).message).toMatch(/head_dim .*a whole number from 1 to 8192/);
    }));
});

describe('What the content decides', () => {
  const head = { name: 'lm_head.weight', type: 'F32' as const, shape: [48, 32] };
  it('a head that differs from the embedding it is said to be (case 6) is used, and told', () =>
    withTemporaryFolder(async (folder) => {
      const read = (): Promise<Float32Array> => Promise.resolve(new Float32Array(48 * 32).fill(0.25));
      await writeTinyFolder(folder, { tied: true }, { tensors: (tensors) => [...tensors, { ...head, read }] });
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.config.tied).toBe(false);
      expect(checkpoint.problems).toEqual([expect.objectContaining({ severity: 'warning', code: 'tied-head' })]);
      expect((await checkpoint.readGlobal('head')).data[0]).toBe(0.25);
      await checkpoint.close();
    }));

  it('a head equal to the embedding counts as tied, without a word', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, { tied: true }, {
        tensors: (tensors) => tensors.flatMap((tensor) => (tensor.name.includes('embed') ? [tensor, { ...tensor, name: head.name }] : [tensor])),
      });
      const checkpoint = await openCheckpoint(folder);
      expect([checkpoint.config.tied, checkpoint.problems]).toEqual([true, []]);
      await checkpoint.close();
    }));

  it('an absent head that is said to exist is the embedding, and told', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, { tied: true }, { settings: { tie_word_embeddings: false } });
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.config.tied).toBe(true);
      expect(checkpoint.problems).toEqual([expect.objectContaining({ code: 'tied-head' })]);
      await checkpoint.close();
    }));

  it('left-over rotary buffers (case 10) are ignored; other tensors are told', () =>
    withTemporaryFolder(async (folder) => {
      const extra = (name: string) => ({ name, type: 'F32' as const, shape: [4], read: () => Promise.resolve(new Float32Array(4)) });
      await writeTinyFolder(folder, {}, { tensors: (tensors) => [...tensors, extra('model.layers.0.self_attn.rotary_emb.inv_freq')] });
      expect((await inspectCheckpoint(folder)).problems.map((problem) => problem.code)).toEqual(['no-tokenizer']);
      await writeTinyFolder(folder, {}, { tensors: (tensors) => [...tensors, extra('model.layers.0.self_attn.q_norm.weight')] });
      expect((await inspectCheckpoint(folder)).problems.map((problem) => problem.code)).toEqual(['extra-tensor', 'no-tokenizer']);
    }));

  it('biases that the configuration does not announce (case 9) are used, and told', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, { biases: ['q', 'k', 'v'] });
      const checkpoint = await openCheckpoint(folder);
      expect([...checkpoint.config.biases]).toEqual(['q', 'k', 'v']);
      expect(checkpoint.problems).toEqual([expect.objectContaining({ code: 'biases' })]);
      await checkpoint.close();
    }));

  it('a tokenizer with fewer or more ids than the model has rows (case 14) is told', () =>
    withTemporaryFolder(async (folder) => {
      const write = (last: number): Promise<void> =>
        writeFile(join(folder, 'tokenizer.json'), JSON.stringify({ added_tokens: [{ id: last, content: 'z' }], model: { type: 'BPE', vocab: { a: 0 }, merges: [] } }));
      const codes = async (): Promise<string[]> => (await inspectCheckpoint(folder)).problems.map((problem) => problem.code);
      await writeTinyFolder(folder);
      await write(39);
      expect(await codes()).toEqual(['tokenizer-smaller']);
      await write(48);
      expect(await codes()).toEqual(['tokenizer-larger']);
      await write(47);
      expect(await codes()).toEqual([]);
    }));
});
