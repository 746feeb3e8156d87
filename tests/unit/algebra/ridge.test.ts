import { afterAll, describe, expect, it } from 'vitest';
import { factorise } from '../../../main/engine/algebra/cholesky';
import { Gemm64 } from '../../../main/engine/algebra/gemm64';
import { GramAccumulator } from '../../../main/engine/algebra/gram';
import { ColumnPanels, SymmetricMatrix } from '../../../main/engine/algebra/panels';
import { refitColumns } from '../../../main/engine/algebra/refit';
import { solveRidge } from '../../../main/engine/algebra/ridge';
import { CancelledError, InternalError, PlanError, ShapeError } from '../../../main/engine/support/errors';
import type { Progress } from '../../../main/engine/support/progress';
import { Random } from '../../../main/engine/support/random';
import type { Tensor32 } from '../../../main/engine/tensors/handle';
import { correlatedRows, normals } from './data';

const gemm = new Gemm64(2);
afterAll(() => gemm.dispose());

async function gramOf(inputs: Float32Array, n: number, width = 64): Promise<SymmetricMatrix> {
  const accumulator = new GramAccumulator(gemm, { inputs: n, width });
  await accumulator.add({ inputs });
  return (await accumulator.finish()).gram;
}

/** Y = X W^T as float32, [rows, m]. */
function apply(inputs: Float32Array, weight: Tensor32): Float32Array {
  const [m = 0, n = 0] = weight.shape;
  const rows = inputs.length / n;
  return Float32Array.from({ length: rows * m }, (_, at) => {
    const [row, output] = [Math.floor(at / m), at % m];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += (inputs[row * n + k] ?? 0) * (weight.data[output * n + k] ?? 0);
    return sum;
  });
}

function columnsOf(data: Float32Array, n: number, kept: readonly number[]): Float32Array {
  const rows = data.length / n;
  return Float32Array.from({ length: rows * kept.length }, (_, at) => data[Math.floor(at / kept.length) * n + (kept[at % kept.length] ?? 0)] ?? 0);
}

function distance(left: ArrayLike<number>, right: ArrayLike<number>): number {
  let [difference, square] = [0, 0];
  for (let at = 0; at < right.length; at++) {
    difference += ((left[at] ?? Number.NaN) - (right[at] ?? 0)) ** 2;
    square += (right[at] ?? 0) ** 2;
  }
  return Math.sqrt(difference / square);
}

describe('Cholesky in panels', () => {
  for (const [n, width] of [[1, 64], [64, 64], [65, 64], [300, 128], [512, 256]] as const) {
    it(`multiplies back to the matrix at size ${n} in panels of ${width}`, async () => {
      const gram = await gramOf(correlatedRows(Random.fromSeed(n), n + 100, n, 3), n, width);
      const factor = await factorise(gemm, gram, 0.5, { overwrite: false, step: () => Promise.resolve() });
      const lower = (row: number, column: number): number => {
        const panel = Math.floor(column / width);
        const own = Math.min(width, n - panel * width);
        return row < column ? 0 : (factor.panels[panel]?.[(row - panel * width) * own + column - panel * width] ?? Number.NaN);
      };
      let worst = 0;
      for (let row = 0; row < n; row += 7) {
        for (let column = 0; column <= row; column += 5) {
          let sum = 0;
          for (let k = 0; k <= column; k++) sum += lower(row, k) * lower(column, k);
          const expected = gram.at(row, column) + (row === column ? 0.5 : 0);
          // Backward error is relative to the diagonal entries (Higham, theorem 10.3).
          worst = Math.max(worst, Math.abs(sum - expected) / Math.sqrt((gram.at(row, row) + 0.5) * (gram.at(column, column) + 0.5)));
        }
      }
      expect(worst <= n * Number.EPSILON, `backward error ${worst}`).toBe(true);
    });
  }
});

describe('ridge regression', () => {
  it('finds the weights that made the data, and the prior where the data say nothing', async () => {
    const random = Random.fromSeed(3);
    const [n, m, rows] = [150, 5, 600];
    const inputs = correlatedRows(random, rows, n, 2);
    for (let row = 0; row < rows; row++) inputs[row * n + 77] = 0;
    const made = { shape: [m, n], data: normals(random, m * n) };
    const accumulator = new GramAccumulator(gemm, { inputs: n, outputs: m, width: 64 });
    await accumulator.add({ inputs, outputs: apply(inputs, made) });
    const { gram, cross } = await accumulator.finish();
    if (cross === null) throw new Error('there are no cross products');
    const found = await solveRidge(gemm, gram, cross, { ridge: 1e-9, prior: { shape: [m, n], data: new Float32Array(m * n).fill(3) } });
    const expected = made.data.map((value, at) => (at % n === 77 ? 3 : value));
    expect(distance(found.data, expected)).toBeLessThan(1e-4);
  });

  it('solves for more rows than it holds at once', async () => {
    const [n, m] = [8, 1500];
    const gram = SymmetricMatrix.zeros(n, 4);
    gram.panels.forEach((panel, index) => {
      for (let at = 0; at < 4; at++) panel[at * 4 + at] = 2 + index;
    });
    const cross = ColumnPanels.zeros(m, n, 4);
    for (const panel of cross.panels) panel.forEach((_, at) => (panel[at] = at));
    const { data } = await solveRidge(gemm, gram, cross, { ridge: 0 });
    expect(data[1499 * n + 2]).toBe((1499 * 4 + 2) / 2);
    expect(data[1499 * n + 6]).toBe(Math.fround((1499 * 4 + 2) / 3));
  });

  it('reports progress to the end and stops when asked to', async () => {
    const n = 256;
    const gram = await gramOf(normals(Random.fromSeed(4), 300 * n), n, 32);
    const cross = ColumnPanels.zeros(3, n, 32);
    const seen: Progress[] = [];
    await solveRidge(gemm, gram, cross, { ridge: 0.01, onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)?.done).toBe(seen.at(-1)?.total);
    expect(seen.every(({ done }, at) => done > (seen[at - 1]?.done ?? 0))).toBe(true);
    const controller = new AbortController();
    let reports = 0;
    const stopped = solveRidge(gemm, gram, cross, {
      ridge: 0.01,
      signal: controller.signal,
      onProgress: () => {
        if (++reports === 5) controller.abort();
      },
    });
    await expect(stopped).rejects.toThrow(CancelledError);
    expect(reports).toBe(5);
  });

  it('names the channel that follows from others where there is no ridge, in whichever panel it is', async () => {
    const [n, rows] = [100, 300];
    for (const [copy, original] of [[20, 3], [90, 5], [90, 88]] as const) {
      const inputs = normals(Random.fromSeed(5), rows * n);
      for (let row = 0; row < rows; row++) inputs[row * n + copy] = inputs[row * n + original] ?? 0;
      const gram = await gramOf(inputs, n, 32);
      const cross = ColumnPanels.zeros(1, n, 32);
      const failure = await solveRidge(gemm, gram, cross, { ridge: 0 }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(PlanError);
      expect((failure as PlanError).details['channel']).toBe(copy);
      expect((failure as PlanError).hint).toContain('larger ridge');
      await solveRidge(gemm, gram, cross, { ridge: 1e-6 });
    }
  });

  it('refuses statistics that are not finite or all zero, wrong shapes, and a Gram that was given away', async () => {
    const gram = SymmetricMatrix.zeros(6, 4);
    const cross = ColumnPanels.zeros(2, 6, 4);
    await expect(solveRidge(gemm, gram, cross, { ridge: 0.01 })).rejects.toThrow(PlanError);
    await expect(solveRidge(gemm, gram, ColumnPanels.zeros(2, 5, 4), { ridge: 0.01 })).rejects.toThrow(ShapeError);
    await expect(solveRidge(gemm, gram, cross, { ridge: 0.01, prior: { shape: [6, 2], data: new Float32Array(12) } })).rejects.toThrow(ShapeError);
    await expect(solveRidge(gemm, gram, cross, { ridge: -1 })).rejects.toThrow(InternalError);
    gram.panels[0]?.fill(Number.NaN);
    await expect(solveRidge(gemm, gram, cross, { ridge: 0.01 })).rejects.toThrow('channel 0 of 6 are not finite');
    const given = await gramOf(normals(Random.fromSeed(6), 60), 6, 4);
    await solveRidge(gemm, given, cross, { ridge: 0.01, overwriteGram: true });
    await expect(solveRidge(gemm, given, cross, { ridge: 0.01 })).rejects.toThrow('given away');
  });
});

describe('refitting a layer to fewer inputs', () => {
  const [n, m, rows] = [120, 6, 700];
  const inputs = correlatedRows(Random.fromSeed(7), rows, n, 1);
  const weight = { shape: [m, n], data: normals(Random.fromSeed(8), m * n) };
  const kept = Array.from({ length: n }, (_, index) => index).filter((index) => index % 3 !== 1);

  it('comes nearer to the old output than leaving the rest as it was, and as near as any weights', async () => {
    const gram = await gramOf(inputs, n);
    const refitted = await refitColumns(gemm, { gram, weight, kept, ridge: 1e-6 });
    const left = columnsOf(inputs, n, kept);
    const outputs = apply(inputs, weight);
    const error = distance(apply(left, refitted), outputs);
    const before = distance(apply(left, { shape: [m, kept.length], data: columnsOf(weight.data, n, kept) }), outputs);
    expect(error).toBeLessThan(before / 2);
    const random = Random.fromSeed(9);
    for (let trial = 0; trial < 5; trial++) {
      const moved = { shape: refitted.shape, data: refitted.data.map((value) => value + 0.01 * random.nextNormal()) };
      expect(distance(apply(left, moved), outputs)).toBeGreaterThan(error);
    }
  });

  it('takes over a removed channel exactly where a kept one equals it', async () => {
    const doubled = inputs.slice();
    for (let row = 0; row < rows; row++) doubled[row * n + 1] = 2 * (doubled[row * n] ?? 0);
    const rest = Array.from({ length: n }, (_, index) => index).filter((index) => index !== 1);
    const refitted = await refitColumns(gemm, { gram: await gramOf(doubled, n), weight, kept: rest, ridge: 0 });
    const expected = columnsOf(weight.data, n, rest);
    for (let row = 0; row < m; row++) expected[row * rest.length] = (weight.data[row * n] ?? 0) + 2 * (weight.data[row * n + 1] ?? 0);
    expect(distance(refitted.data, expected)).toBeLessThan(1e-6);
  });

  it('leaves the weights as they are where nothing is removed, or where the removed were never active', async () => {
    const everything = Array.from({ length: n }, (_, index) => index);
    const gram = await gramOf(inputs.map((value, at) => (kept.includes(at % n) ? value : 0)), n);
    expect((await refitColumns(gemm, { gram, weight, kept: everything, ridge: 0.01 })).data).toEqual(weight.data);
    const refitted = await refitColumns(gemm, { gram, weight, kept, ridge: 0.01 });
    expect(refitted.data).toEqual(columnsOf(weight.data, n, kept));
  });

  it('tends to the plain slice as the ridge grows', async () => {
    const refitted = await refitColumns(gemm, { gram: await gramOf(inputs, n), weight, kept, ridge: 1e9 });
    expect(distance(refitted.data, columnsOf(weight.data, n, kept))).toBeLessThan(1e-6);
  });

  it('refuses positions that do not rise or lie outside, and weights of another width', async () => {
    const gram = await gramOf(inputs, n);
    const weightOfAnother = { shape: [m, n + 1], data: new Float32Array(m * (n + 1)) };
    for (const wrong of [[3, 3], [5, 2], [0, n], [-1], [0.5], []]) {
      await expect(refitColumns(gemm, { gram, weight, kept: wrong, ridge: 0.01 })).rejects.toThrow(ShapeError);
    }
    await expect(refitColumns(gemm, { gram, weight: weightOfAnother, kept, ridge: 0.01 })).rejects.toThrow(ShapeError);
  });
});
