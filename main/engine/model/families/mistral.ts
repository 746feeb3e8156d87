/** Mistral 7B and its kin: Llama's mathematics with, in early releases, a sliding attention window. */
import { LLAMA_BLOCK } from '../design';
import type { Family } from './family';
import { llama } from './llama';

export const mistral: Family = {
  name: 'mistral',
  title: 'Mistral',
  design: LLAMA_BLOCK,
  keepsHeads: false,
  huggingface: {
    architecture: 'MistralForCausalLM',
    modelType: 'mistral',
    pythonClass: 'Mistral',
    pythonModule: 'transformers.models.mistral.modeling_mistral',
    pythonLayer: 'MistralDecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: llama.huggingface.names,
    settings: {},
    defaults: { rope_theta: 10_000, tie_word_embeddings: false, max_position_embeddings: 131_072, rms_norm_eps: 1e-6, hidden_act: 'silu', sliding_window: 4096 },
    fixedBiases: [],
    optionalBiases: {},
    headsMustDivideHidden: false,
  },
  // llama.cpp has no architecture of its own for it: it is converted, and read, as llama.
  gguf: llama.gguf,
};
