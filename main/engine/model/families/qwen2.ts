/** Qwen2 and Qwen2.5: biases on q, k and v, and half-split rotary rows in GGUF files too. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const qwen2: Family = {
  name: 'qwen2',
  title: 'Qwen2',
  design: LLAMA_BLOCK,
  keepsHeads: false,
  huggingface: {
    architecture: 'Qwen2ForCausalLM',
    modelType: 'qwen2',
    pythonClass: 'Qwen2',
    pythonModule: 'transformers.models.qwen2.modeling_qwen2',
    pythonLayer: 'Qwen2DecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: LLAMA_HUGGINGFACE_NAMES,
    settings: {},
    defaults: {
      rope_theta: 10_000, tie_word_embeddings: false, max_position_embeddings: 32_768, rms_norm_eps: 1e-6, hidden_act: 'silu',
      sliding_window: 4096, use_sliding_window: false, max_window_layers: 28, layer_types: null,
    },
    fixedBiases: ['q', 'k', 'v'],
    optionalBiases: {},
    headsMustDivideHidden: false,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'qwen2',
    names: LLAMA_GGUF_NAMES,
    rotaryRows: 'halfSplit',
    biases: ['q', 'k', 'v'],
    readsRopeFactors: false,
    readsHeadDim: false,
  },
};
