/** GPT-2: learned positions, LayerNorm, a feed-forward without gate, weights stored as [in, out]. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { PLAIN_GGUF_NAMES } from './names';

export const gpt2: Family = {
  name: 'gpt2',
  title: 'GPT-2',
  design: {
    ...LLAMA_BLOCK, norm: 'layer', gated: false, activation: 'geluTanh', learnedPositions: true, rotaryWidth: 0,
  },
  keepsHeads: true,
  huggingface: {
    architecture: 'GPT2LMHeadModel',
    modelType: 'gpt2',
    pythonClass: 'GPT2',
    pythonModule: 'transformers.models.gpt2.modeling_gpt2',
    pythonLayer: 'GPT2Block',
    pythonLayers: 'transformer.h',
    pythonHead: null,
    names: {
      globals: {
        embedding: 'transformer.wte.weight',
        positions: 'transformer.wpe.weight',
        finalNorm: 'transformer.ln_f.weight',
        'finalNorm.bias': 'transformer.ln_f.bias',
        head: 'lm_head.weight',
      },
      layers: {
        attentionNorm: 'transformer.h.{layer}.ln_1.weight',
        'attentionNorm.bias': 'transformer.h.{layer}.ln_1.bias',
        o: 'transformer.h.{layer}.attn.c_proj.weight',
        'o.bias': 'transformer.h.{layer}.attn.c_proj.bias',
        mlpNorm: 'transformer.h.{layer}.ln_2.weight',
        'mlpNorm.bias': 'transformer.h.{layer}.ln_2.bias',
        up: 'transformer.h.{layer}.mlp.c_fc.weight',
        'up.bias': 'transformer.h.{layer}.mlp.c_fc.bias',
        down: 'transformer.h.{layer}.mlp.c_proj.weight',
        'down.bias': 'transformer.h.{layer}.mlp.c_proj.bias',
      },
      fused: [{ name: 'transformer.h.{layer}.attn.c_attn', roles: ['q', 'k', 'v'], order: 'blocks' }],
      transposed: true,
    },
    settings: {
      hidden_size: 'n_embd', num_hidden_layers: 'n_layer', num_attention_heads: 'n_head', intermediate_size: 'n_inner',
      max_position_embeddings: 'n_positions', rms_norm_eps: 'layer_norm_epsilon', hidden_act: 'activation_function',
    },
    defaults: {
      tie_word_embeddings: true, max_position_embeddings: 1024, rms_norm_eps: 1e-5, hidden_act: 'gelu_new',
      scale_attn_weights: true, scale_attn_by_inverse_layer_idx: false,
    },
    feedForwardFactor: 4,
    fixedBiases: ['q', 'k', 'v', 'o', 'up', 'down'],
    optionalBiases: {},
    headsMustDivideHidden: true,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'gpt2',
    names: {
      ...PLAIN_GGUF_NAMES,
      fused: [{ name: 'blk.{layer}.attn_qkv', roles: ['q', 'k', 'v'], order: 'blocks' }],
    },
    rotaryRows: 'halfSplit',
    biases: ['q', 'k', 'v', 'o', 'up', 'down'],
    readsRopeFactors: false,
    readsHeadDim: false,
  },
};
