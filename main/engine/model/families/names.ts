/** The tensor names that Llama brought into use and that the families after it kept. */
import type { TensorNames } from './family';

/** Names in Hugging Face folders (transformers, models/llama/modeling_llama.py). */
export const LLAMA_HUGGINGFACE_NAMES = {
  globals: {
    embedding: 'model.embed_tokens.weight',
    finalNorm: 'model.norm.weight',
    head: 'lm_head.weight',
  },
  layers: {
    attentionNorm: 'model.layers.{layer}.input_layernorm.weight',
    q: 'model.layers.{layer}.self_attn.q_proj.weight',
    'q.bias': 'model.layers.{layer}.self_attn.q_proj.bias',
    k: 'model.layers.{layer}.self_attn.k_proj.weight',
    'k.bias': 'model.layers.{layer}.self_attn.k_proj.bias',
    v: 'model.layers.{layer}.self_attn.v_proj.weight',
    'v.bias': 'model.layers.{layer}.self_attn.v_proj.bias',
    o: 'model.layers.{layer}.self_attn.o_proj.weight',
    'o.bias': 'model.layers.{layer}.self_attn.o_proj.bias',
    mlpNorm: 'model.layers.{layer}.post_attention_layernorm.weight',
    gate: 'model.layers.{layer}.mlp.gate_proj.weight',
    'gate.bias': 'model.layers.{layer}.mlp.gate_proj.bias',
    up: 'model.layers.{layer}.mlp.up_proj.weight',
    'up.bias': 'model.layers.{layer}.mlp.up_proj.bias',
    down: 'model.layers.{layer}.mlp.down_proj.weight',
    'down.bias': 'model.layers.{layer}.mlp.down_proj.bias',
  },
} as const satisfies TensorNames;

/** Names in GGUF files (llama.cpp, gguf-py/gguf/constants.py). */
export const LLAMA_GGUF_NAMES = {
  globals: {
    embedding: 'token_embd.weight',
    finalNorm: 'output_norm.weight',
    head: 'output.weight',
  },
  layers: {
    attentionNorm: 'blk.{layer}.attn_norm.weight',
    q: 'blk.{layer}.attn_q.weight',
    'q.bias': 'blk.{layer}.attn_q.bias',
    k: 'blk.{layer}.attn_k.weight',
    'k.bias': 'blk.{layer}.attn_k.bias',
    v: 'blk.{layer}.attn_v.weight',
    'v.bias': 'blk.{layer}.attn_v.bias',
    o: 'blk.{layer}.attn_output.weight',
    'o.bias': 'blk.{layer}.attn_output.bias',
    mlpNorm: 'blk.{layer}.ffn_norm.weight',
    gate: 'blk.{layer}.ffn_gate.weight',
    'gate.bias': 'blk.{layer}.ffn_gate.bias',
    up: 'blk.{layer}.ffn_up.weight',
    'up.bias': 'blk.{layer}.ffn_up.bias',
    down: 'blk.{layer}.ffn_down.weight',
    'down.bias': 'blk.{layer}.ffn_down.bias',
  },
} as const satisfies TensorNames;

/** Names in GGUF files of models with LayerNorm and a feed-forward without gate; q, k and v are fused. */
export const PLAIN_GGUF_NAMES = {
  globals: {
    ...LLAMA_GGUF_NAMES.globals,
    positions: 'position_embd.weight',
    'finalNorm.bias': 'output_norm.bias',
  },
  layers: {
    attentionNorm: 'blk.{layer}.attn_norm.weight',
    'attentionNorm.bias': 'blk.{layer}.attn_norm.bias',
    o: 'blk.{layer}.attn_output.weight',
    'o.bias': 'blk.{layer}.attn_output.bias',
    mlpNorm: 'blk.{layer}.ffn_norm.weight',
    'mlpNorm.bias': 'blk.{layer}.ffn_norm.bias',
    up: 'blk.{layer}.ffn_up.weight',
    'up.bias': 'blk.{layer}.ffn_up.bias',
    down: 'blk.{layer}.ffn_down.weight',
    'down.bias': 'blk.{layer}.ffn_down.bias',
  },
} as const satisfies TensorNames;
