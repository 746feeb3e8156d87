/** Phi-3 and Phi-4 mini: Llama with q, k and v in one matrix and gate and up in another; heads may be rotated in part. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { LLAMA_GGUF_NAMES, LLAMA_HUGGINGFACE_NAMES } from './names';

export const phi3: Family = {
  name: 'phi3',
  title: 'Phi-3',
  design: LLAMA_BLOCK,
  keepsHeads: false,
  huggingface: {
    architecture: 'Phi3ForCausalLM',
    modelType: 'phi3',
    pythonClass: 'Phi3',
    pythonModule: 'transformers.models.phi3.modeling_phi3',
    pythonLayer: 'Phi3DecoderLayer',
    pythonLayers: 'model.layers',
    pythonHead: null,
    names: {
      globals: LLAMA_HUGGINGFACE_NAMES.globals,
      layers: {
        attentionNorm: LLAMA_HUGGINGFACE_NAMES.layers.attentionNorm,
        o: LLAMA_HUGGINGFACE_NAMES.layers.o,
        mlpNorm: LLAMA_HUGGINGFACE_NAMES.layers.mlpNorm,
        down: LLAMA_HUGGINGFACE_NAMES.layers.down,
      },
      fused: [
        { name: 'model.layers.{layer}.self_attn.qkv_proj', roles: ['q', 'k', 'v'], order: 'blocks' },
        { name: 'model.layers.{layer}.mlp.gate_up_proj', roles: ['gate', 'up'], order: 'blocks' },
      ],
    },
    settings: {},
    defaults: {
      rope_theta: 10_000, tie_word_embeddings: false, max_position_embeddings: 4096, rms_norm_eps: 1e-5, hidden_act: 'silu',
      sliding_window: null, partial_rotary_factor: 1,
    },
    fixedBiases: [],
    optionalBiases: {},
    headsMustDivideHidden: false,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'phi3',
    names: {
      globals: LLAMA_GGUF_NAMES.globals,
      layers: {
        attentionNorm: LLAMA_GGUF_NAMES.layers.attentionNorm,
        o: LLAMA_GGUF_NAMES.layers.o,
        mlpNorm: LLAMA_GGUF_NAMES.layers.mlpNorm,
        down: LLAMA_GGUF_NAMES.layers.down,
      },
      fused: [
        { name: 'blk.{layer}.attn_qkv', roles: ['q', 'k', 'v'], order: 'blocks' },
        { name: 'blk.{layer}.ffn_up', roles: ['gate', 'up'], order: 'blocks' },
      ],
    },
    rotaryRows: 'halfSplit',
    biases: [],
    readsRopeFactors: false,
    readsHeadDim: false,
  },
};
