/**
 * `node scripts/shaped-model.mjs SHAPE FOLDER`: writes a Hugging Face folder of a size that nobody has at hand, with
 * weights made up (small random numbers, one block of them over and over), to try memory and speed on. SHAPE is
 * 350M, 1.1B or 7B. The tokenizer is the example's, whose ids fit any vocabulary.
 */
import { copyFileSync, mkdirSync, openSync, writeSync, closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main, root, SetupError } from './setup/say.mjs';

const SHAPES = {
  '350M': { layers: 24, hidden: 1024, heads: 16, kvHeads: 4, ffn: 2816, vocabulary: 32000 },
  '1.1B': { layers: 22, hidden: 2048, heads: 32, kvHeads: 4, ffn: 5632, vocabulary: 32000 },
  '7B': { layers: 32, hidden: 4096, heads: 32, kvHeads: 32, ffn: 11008, vocabulary: 32000 },
};
const BLOCK = 1 << 22;

/** Numbers within +-1/64 as float16: a sign bit and small exponents, so that no layer's output grows or vanishes. */
function randomHalves(count) {
  const halves = new Uint16Array(count);
  let word = 1;
  for (let at = 0; at < count; at++) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    halves[at] = ((word >>> 16) & 0x8000) | 0x2000 | ((word >>> 8) & 0x0bff);
  }
  return new Uint8Array(halves.buffer);
}

function tensorsOf({ layers, hidden, heads, kvHeads, ffn, vocabulary }) {
  const width = hidden / heads;
  const tensors = [['model.embed_tokens.weight', [vocabulary, hidden]]];
  for (let layer = 0; layer < layers; layer++) {
    const name = (rest) => `model.layers.${layer}.${rest}.weight`;
    tensors.push(
      [name('input_layernorm'), [hidden]], [name('post_attention_layernorm'), [hidden]],
      [name('self_attn.q_proj'), [heads * width, hidden]], [name('self_attn.k_proj'), [kvHeads * width, hidden]],
      [name('self_attn.v_proj'), [kvHeads * width, hidden]], [name('self_attn.o_proj'), [hidden, heads * width]],
      [name('mlp.gate_proj'), [ffn, hidden]], [name('mlp.up_proj'), [ffn, hidden]], [name('mlp.down_proj'), [hidden, ffn]],
    );
  }
  return [...tensors, ['model.norm.weight', [hidden]], ['lm_head.weight', [vocabulary, hidden]]];
}

function writeWeights(path, tensors) {
  const header = {};
  let end = 0;
  for (const [name, shape] of tensors) {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F16', shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  writeSync(file, size);
  writeSync(file, json);
  const block = randomHalves(BLOCK / 2);
  for (let left = end; left > 0; left -= BLOCK) writeSync(file, block, 0, Math.min(left, BLOCK));
  closeSync(file);
}

await main(() => {
  const [name = '', folder = ''] = process.argv.slice(2);
  const shape = SHAPES[name];
  if (shape === undefined || folder === '') throw new SetupError(`Usage: node scripts/shaped-model.mjs ${Object.keys(SHAPES).join('|')} FOLDER`);
  mkdirSync(folder, { recursive: true });
  const { layers, hidden, heads, kvHeads, ffn, vocabulary } = shape;
  writeFileSync(join(folder, 'config.json'), JSON.stringify({
    architectures: ['LlamaForCausalLM'], model_type: 'llama', vocab_size: vocabulary, hidden_size: hidden, intermediate_size: ffn,
    num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: kvHeads, max_position_embeddings: 4096,
    rms_norm_eps: 1e-5, rope_theta: 10000, tie_word_embeddings: false, torch_dtype: 'float16', bos_token_id: 1, eos_token_id: 2,
  }));
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(join(root, 'resources', 'example', 'stories260K', file), join(folder, file));
  }
  writeWeights(join(folder, 'model.safetensors'), tensorsOf(shape));
});
