"""Makes rotary frequencies of every rule and a small YaRN model with transformers: python make_rope.py DATA_FOLDER
Made with torch 2.13.0 and transformers 5.18.0. Writes rope.json and families/llama-yarn (an ordinary folder plus golden.json).
"""
import json
import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

data = Path(sys.argv[1])
# Written as config.json has them, in the older and the newer spelling.
cases = {
    "default": dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0)),
    "default, older": dict(rope_theta=50000.0, rope_scaling=None),
    "linear, by type": dict(rope_theta=10000.0, rope_scaling=dict(type="linear", factor=4.0)),
    "linear": dict(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=2.5)),
    "dynamic, by type": dict(rope_theta=10000.0, rope_scaling=dict(type="dynamic", factor=2.0)),
    "dynamic": dict(rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=8.0)),
    "llama3": dict(rope_theta=500000.0, rope_scaling=dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0,
                   high_freq_factor=4.0, original_max_position_embeddings=8192)),
    "llama3, context not stated": dict(rope_parameters=dict(rope_type="llama3", rope_theta=500000.0, factor=8.0,
                                       low_freq_factor=1.0, high_freq_factor=4.0)),
    "yarn, by type": dict(rope_theta=10000.0, rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=32768)),
    "yarn": dict(rope_parameters=dict(rope_type="yarn", rope_theta=1000000.0, factor=16.0, original_max_position_embeddings=4096)),
    "yarn, context not stated": dict(rope_theta=10000.0, rope_scaling=dict(rope_type="yarn", factor=2.0)),
    "yarn, all settings": dict(rope_theta=10000.0, rope_scaling=dict(rope_type="yarn", factor=40.0, beta_fast=24, beta_slow=2,
                               original_max_position_embeddings=4096, mscale=1.0, mscale_all_dim=0.707, truncate=False)),
    "yarn, factor on attention": dict(rope_theta=10000.0, rope_scaling=dict(rope_type="yarn", factor=8.0, attention_factor=1.25,
                                      original_max_position_embeddings=2048)),
}
out = []
for name, settings in cases.items():
    rotary = LlamaRotaryEmbedding(LlamaConfig(hidden_size=128, num_attention_heads=2, max_position_embeddings=16384, **json.loads(json.dumps(settings))))
    out.append({"name": name, "settings": settings, "frequencies": rotary.inv_freq.double().tolist(), "attention_factor": rotary.attention_scaling})
(data / "rope.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in out) + "\n]\n")

torch.manual_seed(7)
config = LlamaConfig(vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=2, max_position_embeddings=128,
                     num_attention_heads=2, num_key_value_heads=1, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, tie_word_embeddings=True,
                     rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32))
model = LlamaForCausalLM(config).float().eval()
with torch.no_grad():
    for parameter in model.parameters():
        noise = torch.randn_like(parameter)
        parameter.copy_(1 + 0.1 * noise if parameter.ndim == 1 and parameter.mean() > 0.5 else 0.2 * noise)
    ids = torch.randint(0, config.vocab_size, (1, 96))
    logits = model(ids).logits[0]
model.save_pretrained(data / "families" / "llama-yarn")
golden = {"ids": ids[0].tolist(), "last": [round(value, 6) for value in logits[-1].tolist()],
          "norms": [round(value, 6) for value in logits.norm(dim=-1).tolist()]}
(data / "families" / "llama-yarn" / "golden.json").write_text(json.dumps(golden))
