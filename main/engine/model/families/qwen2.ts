/** Qwen2 and Qwen2.5: biases on q, k and v, and half-split rotary rows in GGUF files too. */
import type { Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const qwen2: Family = {
  name: 'qwen2',
  title: 'Qwen2',
  huggingface: {
    architecture: 'Qwen2ForCausalLM',
    modelType: 'qwen2',
    pythonClass: 'Qwen2',
    pythonModule: 'transformers.models.qwen2.modeling_qwen2',
    names: LLAMA_HUGGINGFACE_NAMES,
    fixedBiases: ['q', 'k', 'v'],
    optionalBiases: {},
    headsMustDivideHidden: false,
    slidingWindowSwitch: 'use_sliding_window',
    slidingWindowDefault: 4096,
    defaultRopeTheta: 10_000,
    defaultTied: false,
  },
  gguf: {
    architecture: 'qwen2',
    names: LLAMA_GGUF_NAMES,
    rotaryRows: 'halfSplit',
    biases: ['q', 'k', 'v'],
    readsRopeFactors: false,
    readsHeadDim: false,
  },
};
