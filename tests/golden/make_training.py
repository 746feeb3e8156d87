"""Makes the golden of LoRA training: losses, gradients and factors of N steps, by PyTorch and transformers alone.

Usage: python make_training.py MODEL_FOLDER OUT.safetensors [--steps 10] [--rank 4] [--batch 4] [--length 64]
       [--window IDS.json] [--gradients]
Made with torch 2.13.0 and transformers 5.18.0. Everything that our side must start from (factors, ids) is in the file.
"""
import argparse
import json

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROLES = ["q", "k", "v", "o", "gate", "up", "down"]


class LoraLinear(torch.nn.Module):
    def __init__(self, base, rank, scale, generator):
        super().__init__()
        self.base, self.scale = base, scale
        out, width = base.weight.shape
        self.a = torch.nn.Parameter(torch.randn(rank, width, generator=generator) / width**0.5)
        # Not zero, so that the gradient of A is not zero either from the first step on.
        self.b = torch.nn.Parameter(torch.randn(out, rank, generator=generator) * 0.02)

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.a.T) @ self.b.T


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--ids", help="JSON with blocks of ids to train on, instead of random ones")
    options = parser.parse_args()
    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(20261125)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation="eager")
    model.requires_grad_(False)
    scale = 2.0
    factors = {}
    for index, layer in enumerate(model.model.layers):
        for target, role in zip(TARGETS, ROLES):
            parent = layer.self_attn if target in ("q_proj", "k_proj", "v_proj", "o_proj") else layer.mlp
            module = LoraLinear(getattr(parent, target), options.rank, scale, generator)
            setattr(parent, target, module)
            factors[f"{index}.{role}.a"], factors[f"{index}.{role}.b"] = module.a, module.b
    shape = (options.steps, options.batch, options.length)
    if options.ids:
        blocks = torch.tensor(json.load(open(options.ids))[: options.steps * options.batch])
        ids = blocks[:, : options.length].reshape(shape)
    else:
        ids = torch.randint(3, model.config.vocab_size, shape, generator=generator)
    saved = {f"factor.{name}": value.detach().clone() for name, value in factors.items()}
    optimiser = torch.optim.AdamW(factors.values(), lr=options.rate, weight_decay=0.0)
    losses = []
    for step in range(options.steps):
        logits = model(ids[step]).logits[:, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[step][:, 1:].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        losses.append(loss.item())
        if step in (0, options.steps - 1):
            for name, value in factors.items():
                saved[f"gradient.{step}.{name}"] = value.grad.detach().clone()
        optimiser.step()
        print(f"step {step}: {loss.item():.7f}", flush=True)
    saved["ids"] = ids.to(torch.int32).to(torch.float32)
    saved["losses"] = torch.tensor(losses, dtype=torch.float64)
    settings = {"steps": options.steps, "rank": options.rank, "scale": scale, "rate": options.rate}
    save_file(saved, options.out, metadata={key: str(value) for key, value in settings.items()})


main()
