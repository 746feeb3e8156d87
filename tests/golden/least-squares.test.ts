/** Ridge regression and refitting against numpy (tests/golden/make_least_squares.py), which made the expected weights. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Gemm64 } from '../../main/engine/algebra/gemm64';
import { GramAccumulator } from '../../main/engine/algebra/gram';
import { refitColumns } from '../../main/engine/algebra/refit';
import { solveRidge } from '../../main/engine/algebra/ridge';

interface Golden {
  readonly inputs: number;
  readonly outputs: number;
  readonly rows: number;
  readonly ridge: number;
  readonly kept: readonly number[];
  readonly cases: readonly { exponent: number; condition: number; plain: string; bare: string; withPrior: string; refit: string }[];
}

/** Both sides are float64 and rounded to float32 at the end: 6e-8, and room for the condition. */
const RTOL = 1e-6;

const golden = JSON.parse(await readFile(path.join(import.meta.dirname, 'data', 'least-squares.json'), 'utf8')) as Golden;
const { inputs: n, outputs: m, rows, ridge, kept } = golden;
const outputs = smallNumbers(1_000_000, rows * m);
const prior = { shape: [m, n], data: smallNumbers(2_000_000, m * n).map((value) => value / 16) };
const rowWeights = Float32Array.from({ length: rows }, (_, row) => (scramble(3_000_000 + row) % 4) / 4);
const gemm = new Gemm64(2);
afterAll(() => gemm.dispose());

describe('least squares, as numpy solves them', () => {
  it('cover Grams of condition 1e2 to 1e8', () => {
    expect(Math.min(...golden.cases.map(({ condition }) => condition))).toBeLessThan(1e3);
    expect(Math.max(...golden.cases.map(({ condition }) => condition))).toBeGreaterThan(1e8);
  });

  for (const { exponent, condition, ...expected } of golden.cases) {
    // Panels of 48 make several blocks and a ragged one; 256 is what the program uses.
    for (const width of [48, 256]) {
      it(`give the same weights at condition ${condition.toExponential(1)}, panels of ${width}`, async () => {
        const inputs = dataOf(exponent);
        const accumulator = new GramAccumulator(gemm, { inputs: n, outputs: m, width });
        for (let from = 0; from < rows; from += 100) {
          await accumulator.add({ inputs: inputs.subarray(from * n, (from + 100) * n), outputs: outputs.subarray(from * m, (from + 100) * m) });
        }
        const { gram, cross } = await accumulator.finish();
        if (cross === null) throw new Error('there are no cross products');
        expectClose(await solveRidge(gemm, gram, cross, { ridge }), expected.plain);
        expectClose(await solveRidge(gemm, gram, cross, { ridge, prior }), expected.withPrior);
        expectClose(await solveRidge(gemm, gram, cross, { ridge: 0 }), expected.bare);
        expectClose(await solveRidge(gemm, gram, cross, { ridge, overwriteGram: true }), expected.plain);

        const weighted = new GramAccumulator(gemm, { inputs: n, width });
        await weighted.add({ inputs, weights: rowWeights });
        const refitted = await refitColumns(gemm, { gram: (await weighted.finish()).gram, weight: prior, kept, ridge });
        expect(refitted.shape).toEqual([m, kept.length]);
        expectClose(refitted, expected.refit);
      });
    }
  }
});

/** X = Z diag(2^-e) H, by the fast Walsh-Hadamard transform of each row; every number is exact. */
function dataOf(exponent: number): Float32Array {
  const data = new Float32Array(rows * n);
  for (let row = 0; row < rows; row++) {
    const values = Float64Array.from({ length: n }, (_, column) => {
      const sign = (scramble(row * n + column) & 1) * 2 - 1;
      return sign * 2 ** -Math.floor((column * (exponent + 1)) / n);
    });
    for (let half = 1; half < n; half *= 2) {
      for (let at = 0; at < n; at++) {
        if ((at & half) !== 0) continue;
        const [low, high] = [values[at] ?? 0, values[at + half] ?? 0];
        values[at] = low + high;
        values[at + half] = low - high;
      }
    }
    data.set(values, row * n);
  }
  return data;
}

function smallNumbers(start: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => (scramble(start + index) % 31) - 15);
}

/** The finaliser of MurmurHash3. */
function scramble(number: number): number {
  let word = number >>> 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

function expectClose(actual: { readonly data: Float32Array }, encoded: string): void {
  const bytes = Uint8Array.from(Buffer.from(encoded, 'base64'));
  const expected = new Float32Array(bytes.buffer);
  expect(actual.data.length).toBe(expected.length);
  let [difference, square] = [0, 0];
  expected.forEach((value, index) => {
    difference += (value - (actual.data[index] ?? Number.NaN)) ** 2;
    square += value * value;
  });
  const relative = Math.sqrt(difference / square);
  expect(relative <= RTOL, `weights differ by ${relative} of their norm`).toBe(true);
}
