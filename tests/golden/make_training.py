"""Makes the golden of LoRA training: losses, gradients and factors of N steps, by PyTorch and transformers alone.

Usage: python make_training.py MODEL_FOLDER OUT.safetensors [--steps 10] [--rank 4] [--batch 4] [--length 64]
       [--ids IDS.json] [--dropout 0.2] [--attention sdpa]
Made with torch 2.13.0 and transformers 5.18.0. Everything that our side must start from (factors, ids,
masks of dropout) is in the file. `training-dropout` has --steps 2 --rank 2 --batch 2 --length 12 --dropout 0.2,
`training-4096` and `training-5000` --steps 1 --rank 2 --batch 1 --length 4096 (5000) --attention sdpa.
"""
import argparse
import json

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROLES = ["q", "k", "v", "o", "gate", "up", "down"]
# Linears with one input share its mask, as in our engine; PEFT would draw one for each.
INPUTS = ["attention.in"] * 3 + ["attention.out"] + ["mlp.in"] * 2 + ["mlp.out"]


class LoraLinear(torch.nn.Module):
    def __init__(self, base, rank, scale, generator):
        super().__init__()
        self.base, self.scale, self.mask = base, scale, None
        out, width = base.weight.shape
        self.a = torch.nn.Parameter(torch.randn(rank, width, generator=generator) / width**0.5)
        # Not zero, so that the gradient of A is not zero either from the first step on.
        self.b = torch.nn.Parameter(torch.randn(out, rank, generator=generator) * 0.02)

    def forward(self, x):
        masked = x if self.mask is None else x * self.mask.view_as(x)
        return self.base(x) + self.scale * (masked @ self.a.T) @ self.b.T


def draw_masks(modules, options, generator, step):
    """Gives every module its mask for a step, inverted scaling included; answers them by name."""
    masks = {}
    for (index, role), module in modules.items():
        name = f"mask.{step}.{index}.{INPUTS[ROLES.index(role)]}"
        if name not in masks:
            shape = (options.batch * options.length, module.a.shape[1])
            kept = torch.rand(shape, generator=generator) >= options.dropout
            masks[name] = kept.float() / (1 - options.dropout)
        module.mask = masks[name]
    return {name: mask.half() for name, mask in masks.items()}


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
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--attention", default="eager")
    options = parser.parse_args()
    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(20261125)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation=options.attention)
    model.requires_grad_(False)
    scale = 2.0
    factors, modules = {}, {}
    for index, layer in enumerate(model.model.layers):
        for target, role in zip(TARGETS, ROLES):
            parent = layer.self_attn if target in ("q_proj", "k_proj", "v_proj", "o_proj") else layer.mlp
            module = LoraLinear(getattr(parent, target), options.rank, scale, generator)
            setattr(parent, target, module)
            modules[index, role] = module
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
        if options.dropout > 0:
            saved |= draw_masks(modules, options, generator, step)
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
    settings = {"steps": options.steps, "rank": options.rank, "scale": scale, "rate": options.rate, "dropout": options.dropout}
    save_file(saved, options.out, metadata={key: str(value) for key, value in settings.items()})


main()
