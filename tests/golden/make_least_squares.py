"""Makes the golden of ridge regression and of refitting a layer to fewer inputs, by numpy alone in float64.

Usage: python make_least_squares.py OUT.json
Made with Python 3 and numpy 2.4.6. The data are sums of few signed powers of two, so that both sides make them exactly
and only the results need to be in the file: X = Z diag(2^-e) H with random signs Z and the Hadamard matrix H.
"""
import base64
import json
import sys

import numpy as np

INPUTS, OUTPUTS, ROWS = 256, 4, 512
KEPT = [index for index in range(INPUTS) if index % 9 not in (2, 5)]
RIDGE = 0.01


def scramble(start, count):
    """32 pseudo-random bits of each of `count` numbers from `start` on (the finaliser of MurmurHash3)."""
    word = np.arange(start, start + count, dtype=np.uint32)
    word = (word ^ (word >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    word = (word ^ (word >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return word ^ (word >> np.uint32(16))


def small_numbers(start, shape):
    """Whole numbers from -15 to 15."""
    return (scramble(start, shape[0] * shape[1]) % np.uint32(31)).astype(np.float64).reshape(shape) - 15


def encode(matrix):
    return base64.b64encode(matrix.astype("<f4").tobytes()).decode()


hadamard = np.array([[1.0]])
while len(hadamard) < INPUTS:
    hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
signs = (scramble(0, ROWS * INPUTS) & np.uint32(1)).astype(np.float64).reshape(ROWS, INPUTS) * 2 - 1
outputs = small_numbers(1_000_000, (ROWS, OUTPUTS))
weight = small_numbers(2_000_000, (OUTPUTS, INPUTS)) / 16
row_weights = (scramble(3_000_000, ROWS) % np.uint32(4)).astype(np.float64) / 4

cases = []
for exponent in (2, 5, 9, 13):
    powers = 2.0 ** -np.floor(np.arange(INPUTS) * (exponent + 1) / INPUTS)
    inputs = (signs * powers) @ hadamard
    assert (inputs.astype(np.float32) == inputs).all()

    gram, cross = inputs.T @ inputs, outputs.T @ inputs
    shifted = gram + RIDGE * np.diag(gram).mean() * np.eye(INPUTS)
    plain = np.linalg.solve(shifted, cross.T).T
    bare = np.linalg.solve(gram, cross.T).T
    with_prior = np.linalg.solve(shifted, (cross + RIDGE * np.diag(gram).mean() * weight).T).T

    weighted = inputs.T @ (row_weights[:, None] * inputs)
    own = weighted[np.ix_(KEPT, KEPT)]
    pull = RIDGE * np.diag(own).mean()
    sides = weight @ weighted[:, KEPT] + pull * weight[:, KEPT]
    refit = np.linalg.solve(own + pull * np.eye(len(KEPT)), sides.T).T

    condition = float(np.linalg.cond(gram))
    print(f"2^-{exponent}: condition {condition:.3g}, with the ridge {np.linalg.cond(shifted):.3g}")
    weights = {"plain": plain, "bare": bare, "withPrior": with_prior, "refit": refit}
    cases.append({"exponent": exponent, "condition": condition, **{name: encode(value) for name, value in weights.items()}})

settings = {"numpy": np.__version__, "inputs": INPUTS, "outputs": OUTPUTS, "rows": ROWS, "ridge": RIDGE, "kept": KEPT}
with open(sys.argv[1], "w") as file:
    json.dump({**settings, "cases": cases}, file)
    file.write("\n")
