"""LLM-Pruner's slices recovered with LoRA, and the dense model given the same LoRA: python llm_pruner_lora.py JOB.json.

The job: {model, threads, mask (null for dense), training: {ids, batch, rank, alpha, learningRate, steps, seed}, texts:
{name: ids}, window}. float32; PEFT's LoRA on all seven linears, AdamW without weight decay, gradients clipped to 1, a
constant learning rate after a twentieth of the steps. Prints one JSON object: perplexities before and after training,
seconds of training.
"""
import json
import math
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def cut(linear, rows=None, columns=None):
    weight = linear.weight.data
    weight = weight if rows is None else weight[rows]
    weight = weight if columns is None else weight[:, columns]
    linear.weight = torch.nn.Parameter(weight.clone())
    linear.out_features, linear.in_features = weight.shape


def prune(model, mask):
    """Cuts key/value groups (with their query heads) and channels out of every layer."""
    for layer, groups, channels in zip(model.model.layers, mask["keep_groups"], mask["keep_channels"]):
        attention, width = layer.self_attn, layer.self_attn.head_dim
        heads = attention.num_key_value_groups
        keys = [group * width + at for group in groups for at in range(width)]
        queries = [group * heads * width + at for group in groups for at in range(heads * width)]
        cut(attention.q_proj, rows=queries)
        cut(attention.k_proj, rows=keys)
        cut(attention.v_proj, rows=keys)
        cut(attention.o_proj, columns=queries)
        cut(layer.mlp.gate_proj, rows=channels)
        cut(layer.mlp.up_proj, rows=channels)
        cut(layer.mlp.down_proj, columns=channels)


@torch.inference_mode()
def perplexity(model, ids, window):
    total, predicted = 0.0, 0
    for start in range(0, len(ids) - window + 1, window):
        row = torch.tensor([ids[start : start + window]])
        logits = model(input_ids=row, use_cache=False).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="none").double().sum().item()
        predicted += window - 1
    return math.exp(total / predicted)


def train(model, training):
    """Blocks in the order given, `batch` at a time, as long as the steps last."""
    config = LoraConfig(r=training["rank"], lora_alpha=training["alpha"], lora_dropout=0.0, target_modules=TARGETS, bias="none", task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    model.train()
    factors = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(factors, lr=training["learningRate"], weight_decay=0.0)
    blocks, batch, steps = training["ids"], training["batch"], training["steps"]
    warmup = max(1, steps // 20)
    for step in range(steps):
        rows = torch.tensor([blocks[(step * batch + row) % len(blocks)] for row in range(batch)])
        for group in optimiser.param_groups:
            group["lr"] = training["learningRate"] * min(1.0, (step + 1) / warmup)
        loss = model(input_ids=rows, labels=rows, use_cache=False).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(factors, 1.0)
        optimiser.step()
        if step % 16 == 15:
            print(f"step {step + 1} of {steps}: loss {loss.item():.3f}", file=sys.stderr, flush=True)
    return model.merge_and_unload()


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["training"]["seed"])
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    if job["mask"] is not None:
        prune(model, job["mask"])
    model.eval()
    measure = lambda: {name: perplexity(model, ids, job["window"]) for name, ids in job["texts"].items()}
    before = measure()
    started = time.perf_counter()
    model = train(model, job["training"])
    seconds = time.perf_counter() - started
    model.eval()
    print(json.dumps({"before": before, "after": measure(), "seconds": seconds}))


main()
