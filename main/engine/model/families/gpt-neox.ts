/** GPT-NeoX and Pythia: attention and feed-forward side by side, LayerNorm, heads rotated in part, q, k and v fused head by head. */
import { LLAMA_BLOCK } from '../design';
import { PLAIN_GGUF, type Family } from './family';
import { PLAIN_GGUF_NAMES } from './names';

export const gptNeox: Family = {
  name: 'gpt-neox',
  title: 'GPT-NeoX',
  design: {
    ...LLAMA_BLOCK, norm: 'layer', gated: false, activation: 'gelu', parallel: true,
  },
  keepsHeads: true,
  huggingface: {
    architecture: 'GPTNeoXForCausalLM',
    modelType: 'gpt_neox',
    pythonClass: 'GPTNeoX',
    pythonModule: 'transformers.models.gpt_neox.modeling_gpt_neox',
    pythonLayer: 'GPTNeoXLayer',
    pythonLayers: 'gpt_neox.layers',
    pythonHead: { stored: 'embed_out', attribute: 'lm_head' },
    names: {
      globals: {
        embedding: 'gpt_neox.embed_in.weight',
        finalNorm: 'gpt_neox.final_layer_norm.weight',
        'finalNorm.bias': 'gpt_neox.final_layer_norm.bias',
        head: 'embed_out.weight',
      },
      layers: {
        attentionNorm: 'gpt_neox.layers.{layer}.input_layernorm.weight',
        'attentionNorm.bias': 'gpt_neox.layers.{layer}.input_layernorm.bias',
        o: 'gpt_neox.layers.{layer}.attention.dense.weight',
        'o.bias': 'gpt_neox.layers.{layer}.attention.dense.bias',
        mlpNorm: 'gpt_neox.layers.{layer}.post_attention_layernorm.weight',
        'mlpNorm.bias': 'gpt_neox.layers.{layer}.post_attention_layernorm.bias',
        up: 'gpt_neox.layers.{layer}.mlp.dense_h_to_4h.weight',
        'up.bias': 'gpt_neox.layers.{layer}.mlp.dense_h_to_4h.bias',
        down: 'gpt_neox.layers.{layer}.mlp.dense_4h_to_h.weight',
        'down.bias': 'gpt_neox.layers.{layer}.mlp.dense_4h_to_h.bias',
      },
      fused: [{ name: 'gpt_neox.layers.{layer}.attention.query_key_value', roles: ['q', 'k', 'v'], order: 'heads' }],
    },
    settings: { rms_norm_eps: 'layer_norm_eps', rope_theta: 'rotary_emb_base', partial_rotary_factor: 'rotary_pct' },
    defaults: {
      rope_theta: 10_000, partial_rotary_factor: 0.25, tie_word_embeddings: false, max_position_embeddings: 2048, rms_norm_eps: 1e-5,
      hidden_act: 'gelu', use_parallel_residual: true, attention_bias: true,
    },
    fixedBiases: ['up', 'down'],
    optionalBiases: { attention_bias: ['q', 'k', 'v', 'o'] },
    headsMustDivideHidden: true,
  },
  gguf: {
    ...PLAIN_GGUF,
    architecture: 'gptneox',
    names: {
      ...PLAIN_GGUF_NAMES,
      fused: [{ name: 'blk.{layer}.attn_qkv', roles: ['q', 'k', 'v'], order: 'blocks' }],
    },
    rotaryRows: 'halfSplit',
    biases: ['q', 'k', 'v', 'o', 'up', 'down'],
    readsRopeFactors: false,
    readsHeadDim: false,
    statesParallel: true,
  },
};
