/** OLMo: Llama with norms that have no weights. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const olmo: Family = {
  name: 'olmo',
  title: 'OLMo',
  design: { ...LLAMA_BLOCK, norm: 'plain' },
  keepsHeads: false,
  huggingface: {
    architecture: 'OlmoForCausalLM',
    modelType: 'olmo',
    pythonClass: 'Olmo',
    pythonModule: 'transformers.models.olmo.modeling_olmo',
    pythonLayer: 'OlmoDecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: LLAMA_HUGGINGFACE_NAMES,
    settings: {},
    defaults: { rope_theta: 10_000, tie_word_embeddings: false, max_position_embeddings: 2048, rms_norm_eps: 1e-5, hidden_act: 'silu', clip_qkv: null },
    fixedBiases: [],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'] },
    headsMustDivideHidden: false,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'olmo',
    names: LLAMA_GGUF_NAMES,
    rotaryRows: 'interleaved',
    biases: [],
    readsRopeFactors: false,
    readsHeadDim: false,
  },
};
