/** Gemma 2: norms on both sides, scaled embedding, soft caps, and every other layer sees a window only. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const gemma2: Family = {
  name: 'gemma2',
  title: 'Gemma 2',
  design: {
    ...LLAMA_BLOCK, normsAfter: true, activation: 'geluTanh', scaledEmbedding: true, attentionCap: 50, logitCap: 30,
  },
  keepsHeads: false,
  huggingface: {
    architecture: 'Gemma2ForCausalLM',
    modelType: 'gemma2',
    pythonClass: 'Gemma2',
    pythonModule: 'transformers.models.gemma2.modeling_gemma2',
    pythonLayer: 'Gemma2DecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: {
      globals: LLAMA_HUGGINGFACE_NAMES.globals,
      layers: {
        ...LLAMA_HUGGINGFACE_NAMES.layers,
        attentionPostNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
        mlpNorm: 'model.layers.{layer}.pre_feedforward_layernorm.weight',
        mlpPostNorm: 'model.layers.{layer}.post_feedforward_layernorm.weight',
      },
      scalesLessOne: true,
    },
    settings: { hidden_act: 'hidden_activation' },
    defaults: {
      rope_theta: 10_000, tie_word_embeddings: true, max_position_embeddings: 8192, rms_norm_eps: 1e-6, hidden_act: 'gelu_pytorch_tanh', head_dim: 256,
      query_pre_attn_scalar: 256, attn_logit_softcapping: 50, final_logit_softcapping: 30, sliding_window: 4096, sliding_window_pattern: 2, layer_types: null,
    },
    fixedBiases: [],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'] },
    headsMustDivideHidden: true,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'gemma2',
    names: {
      globals: LLAMA_GGUF_NAMES.globals,
      layers: {
        ...LLAMA_GGUF_NAMES.layers,
        attentionPostNorm: 'blk.{layer}.post_attention_norm.weight',
        mlpPostNorm: 'blk.{layer}.post_ffw_norm.weight',
      },
    },
    rotaryRows: 'halfSplit',
    biases: [],
    readsRopeFactors: false,
    readsHeadDim: true,
    windowPattern: 2,
    caps: { attention: 50, logits: 30 },
    scaledByHiddenAt: 46,
  },
};
