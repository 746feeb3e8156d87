"""Log-probabilities of transformers for a sequence of ids: python transformers-logits.py MODEL_FOLDER IDS.json OUT.json"""
import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, ids_path, out_path = sys.argv[1:4]
ids = json.load(open(ids_path))
# Only a model with its own widths in each layer ships code; the note in its card says that it needs to be trusted.
needs_code = "auto_map" in json.load(open(f"{folder}/config.json"))
# Scaled-dot-product attention leaves soft caps out.
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=needs_code, attn_implementation="eager")
with torch.no_grad():
    shares = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)
top = torch.topk(shares, 50, dim=-1)
positions = [[[int(i), float(v)] for v, i in zip(*row)] for row in zip(top.values.tolist(), top.indices.tolist())]
text = AutoTokenizer.from_pretrained(folder).encode("Once upon a time, 12 cats sat.", add_special_tokens=False)
json.dump({"positions": positions, "ids": text, "parameters": model.num_parameters()}, open(out_path, "w"))
