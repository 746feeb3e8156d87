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
RANK, SCALE = 2, 2.0


def linears(model, layer):
    """By role: parameter, rows of it, and whether it is stored as [in, out]."""
    blocks = {name: dict(block.named_parameters()) for name, block in model.named_modules() if name.endswith(f".{layer}")}
    weights = next(block for block in blocks.values() if len(block) > 4)
    config, found = model.config, {}
    heads, width = config.num_attention_heads, getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rows = [heads * width] + [getattr(config, "num_key_value_heads", heads) * width] * 2
    for name, weight in weights.items():
        last = name.removesuffix(".weight").split(".")[-1]
        simple = {"q_proj": "q", "k_proj": "k", "v_proj": "v", "o_proj": "o", "gate_proj": "gate", "up_proj": "up", "down_proj": "down",
                  "dense": "o", "dense_h_to_4h": "up", "dense_4h_to_h": "down", "c_fc": "up"}
        turned = isinstance(model, GPT2LMHeadModel)
        if weight.ndim != 2:
            continue
        if last in simple:
            found[simple[last]] = (weight, slice(None), turned)
        elif last == "c_proj":
            found["o" if "attn" in name else "down"] = (weight, slice(None), turned)
        elif last == "gate_up_proj":
            half = weight.shape[0] // 2
            found["gate"], found["up"] = (weight, slice(0, half), False), (weight, slice(half, None), False)
        elif last in ("qkv_proj", "c_attn"):
            for index, role in enumerate("qkv"):
                found[role] = (weight, slice(sum(rows[:index]), sum(rows[:index + 1])), turned)
        elif last == "query_key_value":
            for index, role in enumerate("qkv"):
                found[role] = (weight, [head * 3 * width + index * width + at for head in range(heads) for at in range(width)], False)
    return found


def gradients(model, ids):
    """For each layer and linear: LoRA's gradients, each as its product with cos(0.7 n) and its norm. Factors are sines and cosines."""
    places = {f"{layer}.{role}": place for layer in range(model.config.num_hidden_layers) for role, place in linears(model, layer).items()}
    factors = {}
    for index, (key, (weight, rows, turned)) in enumerate(sorted(places.items())):
        whole = weight.detach().T if turned else weight.detach()
        outs, ins = whole[rows].shape
        a = 0.3 * torch.sin(1.0 + index + torch.arange(RANK * ins, dtype=torch.float64)).reshape(RANK, ins).float()
        b = 0.2 * torch.cos(2.0 + index + torch.arange(outs * RANK, dtype=torch.float64)).reshape(outs, RANK).float()
        factors[key] = (a, b)
        with torch.no_grad():
            whole[rows] += SCALE * b @ a
    logits = model(ids).logits[0]
    torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:]).backward()
    result = {}
    for key, (weight, rows, turned) in places.items():
        a, b = factors[key]
        g = (weight.grad.T if turned else weight.grad)[rows]
        numbers = []
        for gradient in (SCALE * b.T @ g, SCALE * g @ a.T):
            flat = gradient.double().flatten()
            numbers += [float(flat @ torch.cos(0.7 * torch.arange(len(flat), dtype=torch.float64))), float(flat.norm())]
        result[key] = [round(number, 7) for number in numbers]
    return result


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
    if make not in (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM):
        golden["gradients"] = gradients(model, ids)
    (folder / "golden.json").write_text(json.dumps(golden))
