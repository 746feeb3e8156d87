/** Folders as people download them that hold something else than a plain model: each is refused in words that help. */
import { describe, expect, it } from 'vitest';
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { AppError, UnsupportedError } from '../../main/engine/support/errors';
import { rawSafetensors } from '../support/raw-files';
import { withTemporaryFolder } from '../support/temporary-folder';
import { writeTinyFolder } from '../support/tiny-model';

async function refusal(path: string): Promise<AppError> {
  const outcome = await openCheckpoint(path).then(
    async (checkpoint) => checkpoint.close(),
    (error: unknown) => error,
  );
  if (outcome instanceof AppError) return outcome;
  throw new Error(`expected a refusal of ${path}, got ${String(outcome)}`);
}

describe('Compressed weights are recognised', () => {
  const Q = 'model.layers.0.self_attn.q_proj';
  it.each([
    { name: 'GPTQ by its configuration', settings: { quantization_config: { quant_method: 'gptq', bits: 4 } }, tensors: {}, words: 'GPTQ (4 bits)' },
    { name: 'AWQ by its configuration', settings: { quantization_config: { quant_method: 'awq', bits: 4 } }, tensors: {}, words: 'AWQ (4 bits)' },
    { name: 'bitsandbytes by its configuration', settings: { quantization_config: { load_in_4bit: true } }, tensors: {}, words: 'bitsandbytes' },
    { name: 'FP8 by its configuration', settings: { quantization_config: { quant_method: 'fp8' } }, tensors: {}, words: '8-bit floating point (FP8)' },
    { name: 'a method that nobody knows, by its name', settings: { quantization_config: { quant_method: 'toString' } }, tensors: {}, words: 'toString' },
    { name: 'MLX by its configuration', settings: { quantization: { bits: 4, group_size: 64 } }, tensors: {}, words: 'MLX' },
    { name: 'GPTQ by its tensors', settings: {}, tensors: { [`${Q}.qweight`]: 'I32', [`${Q}.qzeros`]: 'I32', [`${Q}.g_idx`]: 'I32' }, words: 'GPTQ' },
    { name: 'AWQ by its tensors', settings: {}, tensors: { [`${Q}.qweight`]: 'I32', [`${Q}.scales`]: 'F16' }, words: 'AWQ' },
    { name: 'bitsandbytes by its tensors', settings: {}, tensors: { [`${Q}.weight`]: 'U8', [`${Q}.weight.absmax`]: 'F32' }, words: 'bitsandbytes' },
    { name: 'FP8 by its element type', settings: {}, tensors: { [`${Q}.weight`]: 'F8_E4M3' }, words: '8-bit floating point (FP8)' },
  ])('and refused in one sentence, with what to get instead: $name', ({ settings, tensors, words }) =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, {}, { settings });
      const sizes: Readonly<Record<string, number>> = { I32: 4, F16: 2, U8: 1, F32: 4, F8_E4M3: 1 };
      let begin = 0;
      const header = Object.fromEntries(Object.entries(tensors).map(([name, dtype]) => [name, { dtype, shape: [1], data_offsets: [begin, (begin += sizes[dtype] ?? 0)] }]));
      await writeFile(join(folder, 'README.md'), '---\nbase_model:\n- someone/original\nlicense: mit\n---\n');
      if (begin > 0) await writeFile(join(folder, 'model.safetensors'), rawSafetensors(header, begin));
      const error = await refusal(folder);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error.message).toContain(`compressed by ${words}`);
      expect(error.message).not.toContain('\n');
      expect(error.hint).toContain('its card names someone/original');
    }));

  it('and weights stored as whole numbers are refused by name, but not other tensors', () =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      const header = { 'model.embed_tokens.weight': { dtype: 'I8', shape: [48, 32], data_offsets: [0, 1536] }, steps: { dtype: 'U64', shape: [1], data_offsets: [1536, 1544] } };
      await writeFile(join(folder, 'model.safetensors'), rawSafetensors(header, 1544));
      const { message } = await refusal(folder);
      expect(message).toContain('1 weights are stored as whole numbers, which without their scales mean nothing: model.embed_tokens.weight (I8)');
    }));
});

describe('A folder is refused that holds', () => {
  it('an adapter, naming the model that it belongs to', () =>
    withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'adapter_config.json'), JSON.stringify({ peft_type: 'LORA', base_model_name_or_path: 'maker/base-7b' }));
      await writeFile(join(folder, 'adapter_model.safetensors'), rawSafetensors({}, 0));
      for (const path of [folder, join(folder, 'adapter_model.safetensors'), join(folder, 'adapter_config.json')]) {
        const error = await refusal(path);
        expect(error).toBeInstanceOf(UnsupportedError);
        expect(error.message).toContain('an adapter (LoRA)');
        expect(error.hint).toContain('Get the whole model maker/base-7b');
      }
      await writeTinyFolder(folder);
      await rm(join(folder, 'model.safetensors'));
      expect((await refusal(folder)).message).toContain('an adapter (LoRA)');
    }));

  it("a model in its maker's own form", () =>
    withTemporaryFolder(async (folder) => {
      await writeFile(join(folder, 'params.json'), '{}');
      await writeFile(join(folder, 'consolidated.safetensors'), rawSafetensors({}, 0));
      expect((await refusal(folder)).message).toContain("maker's own form");
      await writeTinyFolder(folder);
      await rm(join(folder, 'model.safetensors'));
      expect((await refusal(join(folder, 'consolidated.safetensors'))).message).toContain("maker's own form");
    }));

  it.each([
    { settings: { architectures: ['MixtralForCausalLM'], model_type: 'mixtral', num_local_experts: 8 }, words: /"MixtralForCausalLM" is a mixture of experts \(8 of them/ },
    { settings: { architectures: ['Qwen2MoeForCausalLM'], num_experts: 60 }, words: /"Qwen2MoeForCausalLM" is a mixture of experts \(60/ },
    { settings: { architectures: ['GraniteMoeForCausalLM'] }, words: /"GraniteMoeForCausalLM" is a mixture of experts:/ },
    { settings: { architectures: ['DeepseekV3ForCausalLM'], n_routed_experts: 256 }, words: /"DeepseekV3ForCausalLM" is a mixture of experts \(256/ },
    { settings: { num_local_experts: 4 }, words: /"LlamaForCausalLM" is a mixture of experts \(4/ },
    { settings: { architectures: ['MambaForCausalLM'] }, words: /"MambaForCausalLM", which this program does not know; it knows LlamaForCausalLM/ },
  ])('an architecture that is not for this program, by name: $words', ({ settings, words }) =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder, {}, { settings });
      const error = await refusal(folder);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error.message).toMatch(words);
    }));

  it('several versions in a cache without saying which', () =>
    withTemporaryFolder(async (root) => {
      const entry = join(root, 'models--maker--tiny');
      for (const revision of ['aaa', 'bbb']) await mkdir(join(entry, 'snapshots', revision), { recursive: true });
      expect((await refusal(entry)).message).toContain('maker/tiny holds 2 versions');
      await writeTinyFolder(join(root, 'model'));
      await cp(join(root, 'model'), join(entry, 'snapshots', 'bbb'), { recursive: true });
      await mkdir(join(entry, 'refs'));
      await writeFile(join(entry, 'refs', 'main'), 'bbb');
      const checkpoint = await openCheckpoint(entry);
      expect(checkpoint.name).toBe('maker/tiny');
      await checkpoint.close();
      await rename(join(entry, 'snapshots', 'bbb'), join(entry, 'snapshots', 'ccc'));
      expect((await refusal(entry)).message).toContain('2 versions');
    }));
});
