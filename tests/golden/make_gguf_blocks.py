"""Makes tests/golden/data/gguf-blocks.json: random blocks of GGUF's element types and what the reference decodes.

Needs `pip install gguf numpy` (made with gguf 0.19.0, numpy 2.4.6, seed 7). Run from the repository's root.
"""

import base64
import json

import gguf
import numpy as np

BLOCKS = 24
TYPES = ["Q8_0", "Q4_0", "Q4_1", "F16", "BF16"]


def base64_of(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def main():
    random = np.random.default_rng(7)
    cases = []
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        count = BLOCKS if elements > 1 else BLOCKS * 32
        raw = random.integers(0, 256, size=(1, count * block_bytes), dtype=np.uint8)
        if elements > 1:
            # Random bits make scales of any size and NaN; ordinary ones in half of the blocks, all kinds in the rest.
            rows = raw.reshape(count, block_bytes)
            scales = random.normal(0, 0.05, size=(count // 2, 2)).astype(np.float16)
            used = 4 if name == "Q4_1" else 2
            rows[: count // 2, :used] = scales.view(np.uint8).reshape(count // 2, 4)[:, :used]
        with np.errstate(all="ignore"):
            values = gguf.quants.dequantize(raw, kind).astype(np.float32)
        cases.append({"type": name, "blocks": base64_of(raw), "values": base64_of(values)})
    # Float32 to 16 bits and back: the hard cases of rounding, and random bits.
    edges = np.array(
        [0.0, -0.0, 1.0, 65504.0, 65519.996, 65520.0, 65536.0, 1e30, 5.9604645e-08, 2.9802322e-08, 2.9802326e-08,
         6.0975552e-05, 6.1035156e-05, 1.00048828125, 1.0014648, 0.333333, np.inf, -np.inf, np.nan],
        dtype=np.float32,
    )
    bits = random.integers(0, 2**32, size=2000, dtype=np.uint32).view(np.float32)
    small = (random.normal(0, 1, size=2000) * 10.0 ** random.uniform(-9, 5, size=2000)).astype(np.float32)
    floats = np.concatenate([edges, bits, small])
    with np.errstate(all="ignore"):
        halves = floats.astype(np.float16)
    brains = gguf.quants.quantize(floats.reshape(1, -1), gguf.GGMLQuantizationType.BF16)
    out = {
        "made": {"script": "tests/golden/make_gguf_blocks.py", "gguf": "0.19.0", "numpy": np.__version__, "seed": 7},
        "blocks": cases,
        "rounding": {"float32": base64_of(floats), "float16": base64_of(halves), "bfloat16": base64_of(brains)},
    }
    with open("tests/golden/data/gguf-blocks.json", "w") as file:
        json.dump(out, file, indent=1)
        file.write("\n")


main()
