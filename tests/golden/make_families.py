"""Makes small random models of each family with transformers, and their logits: python make_families.py OUT_FOLDER
Made with torch 2.13.0 and transformers 5.18.0; each folder is an ordinary Hugging Face folder plus golden.json.
"""
import json
import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM

common = dict(vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=2, max_position_embeddings=128,
              num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2)
models = {
    "llama": (LlamaForCausalLM, LlamaConfig(**common, tie_word_embeddings=True)),
    "llama3-rope-untied": (LlamaForCausalLM, LlamaConfig(**common, tie_word_embeddings=False, rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32))),
    "llama-attention-bias": (LlamaForCausalLM, LlamaConfig(**common, attention_bias=True, mlp_bias=True)),
    "mistral-wide-heads": (MistralForCausalLM, MistralConfig(**common, head_dim=12, sliding_window=None)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**common, tie_word_embeddings=True)),
}
out = Path(sys.argv[1])
for index, (name, (make, config)) in enumerate(models.items()):
    torch.manual_seed(index)
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
