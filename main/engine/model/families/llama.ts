/** Llama 1 to 3 and what follows their form: SmolLM, TinyLlama, Yi. */
import { LINEAR_ROLES } from '../config';
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const llama: Family = {
  name: 'llama',
  title: 'Llama',
  design: LLAMA_BLOCK,
  keepsHeads: false,
  huggingface: {
    architecture: 'LlamaForCausalLM',
    modelType: 'llama',
    pythonClass: 'Llama',
    pythonModule: 'transformers.models.llama.modeling_llama',
    pythonLayer: 'LlamaDecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: LLAMA_HUGGINGFACE_NAMES,
    settings: {},
    defaults: { rope_theta: 10_000, tie_word_embeddings: false, max_position_embeddings: 2048, rms_norm_eps: 1e-6, hidden_act: 'silu' },
    fixedBiases: [],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'], mlp_bias: ['gate', 'up', 'down'] },
    headsMustDivideHidden: true,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'llama',
    names: LLAMA_GGUF_NAMES,
    rotaryRows: 'interleaved',
    biases: LINEAR_ROLES,
    readsRopeFactors: true,
    readsHeadDim: true,
  },
};
