"""Makes small random models of each family with transformers, and their logits: python make_families.py OUT_FOLDER [NAME..]
Made with torch 2.13.0 and transformers 5.18.0; each folder is an ordinary Hugging Face folder plus golden.json.
"""
import json
import sys
from pathlib import Path

import torch
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, GPTNeoXConfig,
                          GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Olmo2Config, Olmo2ForCausalLM,
                          OlmoConfig, OlmoForCausalLM, Phi3Config, Phi3ForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

common = dict(vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=2, max_position_embeddings=128,
              num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)
# Families of which not every setting is in `common`.
no_rms = {key: value for key, value in common.items() if key != "rms_norm_eps"}
neox = {key: value for key, value in no_rms.items() if key != "num_key_value_heads"}
padless = dict(pad_token_id=None)
models = {
    "llama": (LlamaForCausalLM, LlamaConfig(**common, tie_word_embeddings=True)),
    "llama3-rope-untied": (LlamaForCausalLM, LlamaConfig(**common, tie_word_embeddings=False, rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32))),
    "llama-attention-bias": (LlamaForCausalLM, LlamaConfig(**common, attention_bias=True, mlp_bias=True)),
    "mistral-wide-heads": (MistralForCausalLM, MistralConfig(**common, head_dim=12, sliding_window=None)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**common, tie_word_embeddings=True)),
    "mistral-window": (MistralForCausalLM, MistralConfig(**common, sliding_window=9)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**common, head_dim=12, tie_word_embeddings=True)),
    "phi3": (Phi3ForCausalLM, Phi3Config(**common, **padless)),
    "phi3-partial-window": (Phi3ForCausalLM, Phi3Config(**common, **padless, sliding_window=11, rope_parameters=dict(
        rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.75))),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config(**common, head_dim=12, query_pre_attn_scalar=20, sliding_window=7,
                                               attn_logit_softcapping=3.0, final_logit_softcapping=5.0)),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(**{**common, "num_hidden_layers": 3, "hidden_size": 24, "intermediate_size": 32}, head_dim=12, query_pre_attn_scalar=12, sliding_window=7,
                                                   layer_types=["sliding_attention", "full_attention", "sliding_attention"])),
    "olmo": (OlmoForCausalLM, OlmoConfig(**no_rms, **padless)),
    "olmo2": (Olmo2ForCausalLM, Olmo2Config(**common, **padless)),
    "gpt2": (GPT2LMHeadModel, GPT2Config(vocab_size=61, n_embd=32, n_layer=2, n_head=4, n_inner=40, n_positions=64, bos_token_id=1, eos_token_id=2)),
    "gpt-neox": (GPTNeoXForCausalLM, GPTNeoXConfig(**neox, rotary_pct=0.5)),
    "gpt-neox-sequential": (GPTNeoXForCausalLM, GPTNeoXConfig(**neox, use_parallel_residual=False, rotary_pct=1.0)),
}
# Models that were made one by one keep their numbers.
seeds = {name: index for index, name in enumerate(models)}
out = Path(sys.argv[1])
for name in sys.argv[2:] or models:
    make, config = models[name]
    torch.manual_seed(seeds[name])
    config._attn_implementation = "eager"  # Scaled-dot-product attention leaves soft caps out.
    model = make(config).float().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Random everywhere, norms and biases too: ones and zeros would hide a mistake in them.
            noise = torch.randn_like(parameter)
            parameter.copy_(1 + 0.1 * noise if parameter.ndim == 1 and parameter.mean() > 0.5 else 0.2 * noise)
    ids = torch.randint(0, config.vocab_size, (1, 48))
    logits = model(ids).logits[0]
    folder = out / name
    model.save_pretrained(folder)
    golden = {"ids": ids[0].tolist(), "last": [round(value, 6) for value in logits[-1].tolist()],
              "norms": [round(value, 6) for value in logits.norm(dim=-1).tolist()]}
    (folder / "golden.json").write_text(json.dumps(golden))
