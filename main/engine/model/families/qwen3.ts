/** Qwen3: queries and keys are normalised head by head before they are rotated. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const qwen3: Family = {
  name: 'qwen3',
  title: 'Qwen3',
  design: { ...LLAMA_BLOCK, qkNorm: 'head' },
  keepsHeads: false,
  huggingface: {
    architecture: 'Qwen3ForCausalLM',
    modelType: 'qwen3',
    pythonClass: 'Qwen3',
    pythonModule: 'transformers.models.qwen3.modeling_qwen3',
    pythonLayer: 'Qwen3DecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: {
      globals: LLAMA_HUGGINGFACE_NAMES.globals,
      layers: {
        ...LLAMA_HUGGINGFACE_NAMES.layers,
        qNorm: 'model.layers.{layer}.self_attn.q_norm.weight',
        kNorm: 'model.layers.{layer}.self_attn.k_norm.weight',
      },
    },
    settings: {},
    defaults: {
      rope_theta: 10_000, tie_word_embeddings: false, max_position_embeddings: 32_768, rms_norm_eps: 1e-6, hidden_act: 'silu', head_dim: 128,
      sliding_window: 4096, use_sliding_window: false, max_window_layers: 28, layer_types: null,
    },
    fixedBiases: [],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'] },
    headsMustDivideHidden: false,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'qwen3',
    names: {
      globals: LLAMA_GGUF_NAMES.globals,
      layers: { ...LLAMA_GGUF_NAMES.layers, qNorm: 'blk.{layer}.attn_q_norm.weight', kNorm: 'blk.{layer}.attn_k_norm.weight' },
    },
    rotaryRows: 'halfSplit',
    biases: [],
    readsRopeFactors: true,
    readsHeadDim: true,
  },
};

/** The same blocks in llama.cpp's openelm, whose layers may differ in width: q, k and v are one matrix there. */
export const qwen3AsOpenElm: Family = {
  ...qwen3,
  gguf: {
    ...qwen3.gguf,
    architecture: 'openelm',
    names: {
      globals: LLAMA_GGUF_NAMES.globals,
      layers: {
        attentionNorm: LLAMA_GGUF_NAMES.layers.attentionNorm,
        qNorm: 'blk.{layer}.attn_q_norm.weight',
        kNorm: 'blk.{layer}.attn_k_norm.weight',
        o: LLAMA_GGUF_NAMES.layers.o,
        mlpNorm: LLAMA_GGUF_NAMES.layers.mlpNorm,
        gate: LLAMA_GGUF_NAMES.layers.gate,
        up: LLAMA_GGUF_NAMES.layers.up,
        down: LLAMA_GGUF_NAMES.layers.down,
      },
      fused: [{ name: 'blk.{layer}.attn_qkv', roles: ['q', 'k', 'v'], order: 'blocks' }],
    },
    readsRopeFactors: false,
  },
};
