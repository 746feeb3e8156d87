/** OLMo 2: norms of what attention and feed-forward give, and of all queries and all keys together. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const olmo2: Family = {
  name: 'olmo2',
  title: 'OLMo 2',
  design: { ...LLAMA_BLOCK, normsBefore: false, normsAfter: true, qkNorm: 'all' },
  keepsHeads: false,
  huggingface: {
    architecture: 'Olmo2ForCausalLM',
    modelType: 'olmo2',
    pythonClass: 'Olmo2',
    pythonModule: 'transformers.models.olmo2.modeling_olmo2',
    pythonLayer: 'Olmo2DecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: {
      globals: LLAMA_HUGGINGFACE_NAMES.globals,
      layers: {
        ...LLAMA_HUGGINGFACE_NAMES.layers,
        qNorm: 'model.layers.{layer}.self_attn.q_norm.weight',
        kNorm: 'model.layers.{layer}.self_attn.k_norm.weight',
        attentionPostNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
        mlpPostNorm: 'model.layers.{layer}.post_feedforward_layernorm.weight',
      },
    },
    settings: {},
    defaults: { rope_theta: 10_000, tie_word_embeddings: false, max_position_embeddings: 2048, rms_norm_eps: 1e-5, hidden_act: 'silu' },
    fixedBiases: [],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'] },
    headsMustDivideHidden: false,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'olmo2',
    names: {
      globals: LLAMA_GGUF_NAMES.globals,
      layers: {
        ...LLAMA_GGUF_NAMES.layers,
        qNorm: 'blk.{layer}.attn_q_norm.weight',
        kNorm: 'blk.{layer}.attn_k_norm.weight',
        attentionPostNorm: 'blk.{layer}.post_attention_norm.weight',
        mlpPostNorm: 'blk.{layer}.post_ffw_norm.weight',
      },
    },
    rotaryRows: 'halfSplit',
    biases: [],
    readsRopeFactors: false,
    readsHeadDim: false,
  },
};
