"""Makes tests/golden/data/gguf-blocks.json: random blocks of GGUF's element types and what the reference decodes.

Needs `pip install gguf numpy` (made with gguf 0.19.0, numpy 2.4.6, seed 7). Run from the repository's root.
"""

import base64
import json

import gguf
import numpy as np

BLOCKS = 24
# Each type with the positions of its 16-bit scales and minimums in a block.
TYPES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "F16": [], "BF16": [],
}
# Float16 of every kind: zeros, the least and largest numbers, subnormals.
EXTREMES = np.array([0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF], dtype=np.uint16)


def base64_of(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def main():
    random = np.random.default_rng(7)
    cases = []
    for name, scales_at in TYPES.items():
        kind = gguf.GGMLQuantizationType[name]
        elements, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        count = BLOCKS if elements > 1 else BLOCKS * 32
        raw = random.integers(0, 256, size=(1, count * block_bytes), dtype=np.uint8)
        if elements > 1:
            # Ordinary scales in half of the blocks, extreme ones in a third; random bits, NaN too, in the rest.
            rows = raw.reshape(count, block_bytes)
            for place in scales_at:
                scales = random.normal(0, 0.05, size=count // 2).astype(np.float16)
                rows[: count // 2, place : place + 2] = scales.view(np.uint8).reshape(-1, 2)
                extremes = random.permutation(EXTREMES)
                rows[count // 2 : count // 2 + 8, place : place + 2] = extremes.view(np.uint8).reshape(-1, 2)
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
