/** Gemma 3, text alone: as Gemma 2 with norms of queries and keys instead of caps, and a rotary base of its own near by. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const gemma3: Family = {
  name: 'gemma3',
  title: 'Gemma 3',
  design: {
    ...LLAMA_BLOCK, normsAfter: true, activation: 'geluTanh', scaledEmbedding: true, qkNorm: 'head',
  },
  keepsHeads: false,
  huggingface: {
    architecture: 'Gemma3ForCausalLM',
    modelType: 'gemma3_text',
    pythonClass: 'Gemma3',
    pythonModule: 'transformers.models.gemma3.modeling_gemma3',
    pythonLayer: 'Gemma3DecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: {
      globals: LLAMA_HUGGINGFACE_NAMES.globals,
      layers: {
        ...LLAMA_HUGGINGFACE_NAMES.layers,
        attentionPostNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
        mlpNorm: 'model.layers.{layer}.pre_feedforward_layernorm.weight',
        mlpPostNorm: 'model.layers.{layer}.post_feedforward_layernorm.weight',
        qNorm: 'model.layers.{layer}.self_attn.q_norm.weight',
        kNorm: 'model.layers.{layer}.self_attn.k_norm.weight',
      },
      scalesLessOne: true,
    },
    settings: { hidden_act: 'hidden_activation' },
    defaults: {
      rope_theta: 1_000_000, rope_local_base_freq: 10_000, tie_word_embeddings: true, max_position_embeddings: 131_072, rms_norm_eps: 1e-6,
      hidden_act: 'gelu_pytorch_tanh', head_dim: 256, query_pre_attn_scalar: 256, attn_logit_softcapping: null, final_logit_softcapping: null,
      sliding_window: 4096, sliding_window_pattern: 6, layer_types: null,
    },
    fixedBiases: [],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'] },
    headsMustDivideHidden: true,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'gemma3',
    names: {
      globals: LLAMA_GGUF_NAMES.globals,
      layers: {
        ...LLAMA_GGUF_NAMES.layers,
        attentionPostNorm: 'blk.{layer}.post_attention_norm.weight',
        mlpPostNorm: 'blk.{layer}.post_ffw_norm.weight',
        qNorm: 'blk.{layer}.attn_q_norm.weight',
        kNorm: 'blk.{layer}.attn_k_norm.weight',
      },
    },
    rotaryRows: 'halfSplit',
    biases: [],
    readsRopeFactors: false,
    readsHeadDim: true,
    windowPattern: 6,
    localTheta: 10_000,
    scaledByHiddenAt: 62,
  },
};
