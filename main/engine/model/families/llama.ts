/** Llama 1 to 3 and what follows their form: SmolLM, TinyLlama, Yi. */
import { LINEAR_ROLES } from '../config';
import type { Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const llama: Family = {
  name: 'llama',
  title: 'Llama',
  huggingface: {
    architecture: 'LlamaForCausalLM',
    modelType: 'llama',
    pythonClass: 'Llama',
    pythonModule: 'transformers.models.llama.modeling_llama',
    names: LLAMA_HUGGINGFACE_NAMES,
    fixedBiases: [],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'], mlp_bias: ['gate', 'up', 'down'] },
    headsMustDivideHidden: true,
    slidingWindowSwitch: null,
    slidingWindowDefault: null,
    defaultRopeTheta: 10_000,
    defaultTied: false,
  },
  gguf: {
    architecture: 'llama',
    names: LLAMA_GGUF_NAMES,
    rotaryRows: 'interleaved',
    biases: LINEAR_ROLES,
    readsRopeFactors: true,
    readsHeadDim: true,
  },
};
