"""PyTorch's side of `shear bench step|forward`: python pytorch.py JOB.json (main/engine/jobs/bench/job.ts).

float32, transformers and PEFT as people use them (attention "sdpa"): LoRA on all seven linears, AdamW without weight
decay, gradients clipped; a forward pass computes its logits in chunks, so that its memory is not that of all logits.
"""
import json
import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
HEAD_ROWS = 512


def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def step_work(model, ids, training):
    config = LoraConfig(r=training["rank"], lora_alpha=training["alpha"], lora_dropout=0.0, target_modules=TARGETS, bias="none", task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    model.train()
    factors = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(factors, lr=training["learningRate"], weight_decay=0.0)

    def work():
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(factors, training["clipNorm"])
        optimiser.step()
        return loss.item()

    return work


def forward_work(model, ids):
    model.eval()
    labels = ids[:, 1:].reshape(-1)

    @torch.inference_mode()
    def work():
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1].reshape(labels.shape[0], -1)
        total = 0.0
        for start in range(0, labels.shape[0], HEAD_ROWS):
            logits = model.lm_head(hidden[start : start + HEAD_ROWS])
            total += torch.nn.functional.cross_entropy(logits, labels[start : start + HEAD_ROWS], reduction="sum").item()
        return total / labels.shape[0]

    return work


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    started = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32)
    ids = torch.tensor(job["ids"])
    work = step_work(model, ids, job["training"]) if job["work"] == "step" else forward_work(model, ids)
    loss = work()
    print(json.dumps({"secondsToFirst": time.perf_counter() - started, "loss": loss, "ids": []}), flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpuSeconds": cpu_seconds, "amount": ids.numel(), "peakBytes": peak_bytes()}), flush=True)


main()
