/** Mistral 7B and its kin: Llama's mathematics with, in early releases, a sliding attention window. */
import type { Family } from './family';
import { llama } from './llama';

export const mistral: Family = {
  name: 'mistral',
  title: 'Mistral',
  huggingface: {
    architecture: 'MistralForCausalLM',
    modelType: 'mistral',
    pythonClass: 'Mistral',
    pythonModule: 'transformers.models.mistral.modeling_mistral',
    names: llama.huggingface.names,
    fixedBiases: [],
    optionalBiases: {},
    headsMustDivideHidden: false,
    slidingWindowSwitch: null,
    slidingWindowDefault: 4096,
    defaultRopeTheta: 10_000,
    defaultTied: false,
  },
  // llama.cpp has no architecture of its own for it: it is converted, and read, as llama.
  gguf: llama.gguf,
};
