/**
 * Converts the llama2.c checkpoint stories260K (tests/data/stories260K) into the Hugging Face folder of the bundled
 * example, resources/example/stories260K. Run `node scripts/convert-stories.mjs` after changing either; it needs nothing else.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCE = join(ROOT, 'tests/data/stories260K');
const TARGET = join(ROOT, 'resources/example/stories260K');
const SPECIAL_TOKENS = ['<unk>', '<s>', '</s>'];

/** The header and the weights in llama2.c's order: all layers of one kind behind one another. */
function readCheckpoint(bytes) {
  const header = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 28));
  const [hidden, ffn, layers, heads, kvHeads, vocabulary, positions] = header;
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + 28, bytes.byteOffset + bytes.byteLength));
  const headDim = hidden / heads;
  let at = 0;
  const take = (count) => values.subarray(at, (at += count));
  const perLayer = (count) => Array.from({ length: layers }, () => take(count));
  const weights = {
    embedding: take(vocabulary * hidden),
    attentionNorm: perLayer(hidden),
    q: perLayer(heads * headDim * hidden),
    k: perLayer(kvHeads * headDim * hidden),
    v: perLayer(kvHeads * headDim * hidden),
    o: perLayer(hidden * heads * headDim),
    mlpNorm: perLayer(hidden),
    gate: perLayer(ffn * hidden),
    down: perLayer(hidden * ffn),
    up: perLayer(ffn * hidden),
    finalNorm: take(hidden),
  };
  // What is left are tables of cosines and sines, positions x headDim / 2 each, which follow from the settings.
  const left = values.length - at;
  if (left !== positions * headDim) throw new Error(`expected ${positions * headDim} numbers after the weights, found ${left}`);
  return { hidden, ffn, layers, heads, kvHeads, vocabulary, positions, headDim, weights };
}

/** Rows of q and k from rotary pairs side by side (llama2.c) to first halves before second halves (Hugging Face). */
function toHalfSplit(values, headDim, width) {
  const moved = new Float32Array(values.length);
  for (let row = 0; row < values.length / width; row++) {
    const within = row % headDim;
    const from = row - within + 2 * (within % (headDim / 2)) + Math.floor(within / (headDim / 2));
    moved.set(values.subarray(from * width, (from + 1) * width), row * width);
  }
  return moved;
}

function namedTensors({ hidden, ffn, layers, heads, kvHeads, vocabulary, headDim, weights }) {
  const tensors = [['model.embed_tokens.weight', [vocabulary, hidden], weights.embedding]];
  for (let layer = 0; layer < layers; layer++) {
    const name = (part) => `model.layers.${layer}.${part}.weight`;
    tensors.push(
      [name('input_layernorm'), [hidden], weights.attentionNorm[layer]],
      [name('self_attn.q_proj'), [heads * headDim, hidden], toHalfSplit(weights.q[layer], headDim, hidden)],
      [name('self_attn.k_proj'), [kvHeads * headDim, hidden], toHalfSplit(weights.k[layer], headDim, hidden)],
      [name('self_attn.v_proj'), [kvHeads * headDim, hidden], weights.v[layer]],
      [name('self_attn.o_proj'), [hidden, heads * headDim], weights.o[layer]],
      [name('post_attention_layernorm'), [hidden], weights.mlpNorm[layer]],
      [name('mlp.gate_proj'), [ffn, hidden], weights.gate[layer]],
      [name('mlp.up_proj'), [ffn, hidden], weights.up[layer]],
      [name('mlp.down_proj'), [hidden, ffn], weights.down[layer]],
    );
  }
  tensors.push(['model.norm.weight', [hidden], weights.finalNorm]);
  return tensors;
}

function encodeSafetensors(tensors) {
  const header = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const [name, shape, values] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const data = tensors.map(([, , values]) => Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  return Buffer.concat([length, padded, ...data]);
}

/** Pieces and scores; spaces become the mark that SentencePiece uses for them, which llama2.c had taken out. */
function readPieces(bytes) {
  const pieces = [];
  for (let at = 4; at < bytes.length; ) {
    const score = bytes.readFloatLE(at);
    const length = bytes.readInt32LE(at + 4);
    const text = bytes.toString('utf8', at + 8, at + 8 + length);
    const id = pieces.length;
    pieces.push({ score, text: SPECIAL_TOKENS[id] ?? text.replaceAll(' ', '\u2581') });
    at += 8 + length;
  }
  return pieces;
}

/**
 * SentencePiece joins the two neighbours whose union has the best score; a list of merges says the same: every way
 * to split a piece into two pieces, best piece first, and for one piece in the order of its parts' ids.
 */
function buildMerges(pieces) {
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  const merges = [];
  for (const { text, score } of pieces) {
    const characters = Array.from(text);
    const splits = [];
    for (let cut = 1; cut < characters.length; cut++) {
      const left = characters.slice(0, cut).join('');
      const right = characters.slice(cut).join('');
      if (ids.has(left) && ids.has(right)) splits.push({ left, right, score });
    }
    splits.sort((one, other) => ids.get(one.left) - ids.get(other.left) || ids.get(one.right) - ids.get(other.right));
    merges.push(...splits);
  }
  merges.sort((one, other) => other.score - one.score);
  return merges.map(({ left, right }) => `${left} ${right}`);
}

function buildTokenizer(pieces) {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '\u2581' },
        { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' },
      ],
    },
    pre_tokenizer: null,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [
        { SpecialToken: { id: '<s>', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '<s>', type_id: 1 } },
        { Sequence: { id: 'B', type_id: 1 } },
      ],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map(({ text }, id) => [text, id])),
      merges: buildMerges(pieces),
    },
  };
}

const LICENSE = `MIT License

stories260K: Copyright (c) 2023 Andrej Karpathy (llama2.c, tinyllamas)
Copy in llama2.zig: Copyright (c) 2023 Clemens Bertram

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`;

const CARD = `---
license: mit
language: en
pipeline_tag: text-generation
---
# stories260K

A Llama with 260 thousand parameters that tells very small children's stories. It was trained by Andrej Karpathy on
TinyStories for llama2.c and is small enough to try everything in this program within two minutes.

Converted from llama2.c's format by \`scripts/convert-stories.mjs\`: the rows of q and k were put into the order that
transformers expects, and the vocabulary was written as tokenizer.json. The numbers are unchanged.
`;

const checkpoint = readCheckpoint(await readFile(join(SOURCE, 'stories260K.bin')));
const tokenizer = buildTokenizer(readPieces(await readFile(join(SOURCE, 'tok512.bin'))));
const config = {
  architectures: ['LlamaForCausalLM'],
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 1,
  eos_token_id: 2,
  head_dim: checkpoint.headDim,
  hidden_act: 'silu',
  hidden_size: checkpoint.hidden,
  initializer_range: 0.02,
  intermediate_size: checkpoint.ffn,
  max_position_embeddings: checkpoint.positions,
  mlp_bias: false,
  model_type: 'llama',
  num_attention_heads: checkpoint.heads,
  num_hidden_layers: checkpoint.layers,
  num_key_value_heads: checkpoint.kvHeads,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  rope_theta: 10000,
  tie_word_embeddings: true,
  torch_dtype: 'float32',
  use_cache: true,
  vocab_size: checkpoint.vocabulary,
};
const tokenizerConfig = {
  add_bos_token: true,
  add_eos_token: false,
  bos_token: '<s>',
  clean_up_tokenization_spaces: false,
  eos_token: '</s>',
  legacy: true,
  model_max_length: checkpoint.positions,
  tokenizer_class: 'LlamaTokenizerFast',
  unk_token: '<unk>',
};
const json = (value) => `${JSON.stringify(value, null, 2)}\n`;

await mkdir(TARGET, { recursive: true });
await writeFile(join(TARGET, 'config.json'), json(config));
await writeFile(join(TARGET, 'generation_config.json'), json({ bos_token_id: 1, eos_token_id: 2 }));
await writeFile(join(TARGET, 'tokenizer.json'), json(tokenizer));
await writeFile(join(TARGET, 'tokenizer_config.json'), json(tokenizerConfig));
await writeFile(join(TARGET, 'model.safetensors'), encodeSafetensors(namedTensors(checkpoint)));
await writeFile(join(TARGET, 'LICENSE'), LICENSE);
await writeFile(join(TARGET, 'README.md'), CARD);
console.log(TARGET);
