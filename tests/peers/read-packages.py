"""Reads a model with the packages that define its format: python read-packages.py FILE.gguf|FOLDER OUT.safetensors

Writes what they read as float32, by name, shapes as the package gives them (GGUF's dequantised).
"""
import sys
from pathlib import Path

import gguf
import numpy
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

path, out = Path(sys.argv[1]), sys.argv[2]
tensors = {}
if path.suffix == ".gguf":
    reader = gguf.GGUFReader(path)
    for tensor in reader.tensors:
        tensors[tensor.name] = numpy.ascontiguousarray(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=numpy.float32)
    assert str(reader.get_field("general.architecture").contents()) == "llama"
else:
    for name in sorted(path.glob("*.safetensors")):
        with safe_open(name, framework="pt") as file:
            assert file.metadata()["format"] == "pt"
            for key in file.keys():
                tensors[key] = file.get_tensor(key).to(torch.float32).numpy()
save_file(tensors, out)
