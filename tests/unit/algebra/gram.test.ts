import { afterAll, describe, expect, it } from 'vitest';
import { Gemm64 } from '../../../main/engine/algebra/gemm64';
import { GramAccumulator, gramBytes } from '../../../main/engine/algebra/gram';
import { panelCount, PANEL_WIDTH, panelWidth } from '../../../main/engine/algebra/panels';
import { CancelledError, InternalError, PlanError, ShapeError } from '../../../main/engine/support/errors';
import { Random } from '../../../main/engine/support/random';
import { exactSum, normals } from './data';

const gemm = new Gemm64(2);
afterAll(() => gemm.dispose());

describe('the Gram accumulator', () => {
  it('keeps to its error bound on thousands of rows, whose entries differ by a factor of a million', async () => {
    const random = Random.fromSeed(1);
    const [n, m, rows] = [40, 7, 5000];
    const inputs = normals(random, rows * n).map((value, at) => value * 1000 ** ((at % 3) - 1));
    const outputs = normals(random, rows * m);
    for (const weights of [undefined, normals(random, rows).map(Math.abs)]) {
      const accumulator = new GramAccumulator(gemm, { inputs: n, outputs: m, width: 16 });
      for (let from = 0; from < rows; from += 700) {
        const to = Math.min(rows, from + 700);
        await accumulator.add({
          inputs: inputs.subarray(from * n, to * n),
          outputs: outputs.subarray(from * m, to * m),
          ...(weights === undefined ? {} : { weights: weights.subarray(from, to) }),
        });
      }
      const { gram, cross, ...counts } = await accumulator.finish();
      expect(counts.rows).toBe(rows);
      expect(counts.weight).toBeCloseTo(weights?.reduce((sum, weight) => sum + weight, 0) ?? rows, 2);
      const check = (found: number, left: (row: number) => number, column: number): void => {
        const term = (row: number): number => left(row) * (inputs[row * n + column] ?? 0) * (weights?.[row] ?? 1);
        const bound = (rows + 1) * 2 ** -53 * exactSum(rows, (row) => Math.abs(term(row)));
        expect(Math.abs(found - exactSum(rows, term)) <= bound).toBe(true);
      };
      for (let column = 0; column < n; column++) {
        for (let other = 0; other < n; other++) check(gram.at(other, column), (row) => inputs[row * n + other] ?? 0, column);
        for (let output = 0; output < m; output++) check(cross?.at(output, column) ?? Number.NaN, (row) => outputs[row * m + output] ?? 0, column);
      }
    }
  });

  it('gives whole-number statistics exactly, however the rows are cut', async () => {
    const [n, rows] = [33, 2500];
    const random = Random.fromSeed(2);
    const inputs = Float32Array.from({ length: rows * n }, () => random.nextInteger(2001) - 1000);
    const grams = [];
    for (const chunk of [1, 1024, 2500]) {
      const accumulator = new GramAccumulator(gemm, { inputs: n });
      for (let from = 0; from < rows; from += chunk) await accumulator.add({ inputs: inputs.subarray(from * n, (from + chunk) * n) });
      grams.push((await accumulator.finish()).gram);
    }
    for (let row = 0; row < n; row++) {
      for (let column = 0; column <= row; column++) {
        const exact = exactSum(rows, (at) => (inputs[at * n + row] ?? 0) * (inputs[at * n + column] ?? 0));
        expect(grams.map((gram) => gram.at(row, column))).toEqual([exact, exact, exact]);
        expect(grams[0]?.at(column, row)).toBe(exact);
      }
    }
  });

  it('forgets rows of weight zero, and the weights of rows that are done', async () => {
    const accumulator = new GramAccumulator(gemm, { inputs: 2 });
    await accumulator.add({ inputs: Float32Array.of(5, 7, 1, 2), weights: Float32Array.of(0, 0.5) });
    await accumulator.add({ inputs: Float32Array.of(3, 4) });
    const { gram, cross, weight } = await accumulator.finish();
    expect([gram.at(0, 0), gram.at(1, 0), gram.at(1, 1)]).toEqual([9.5, 13, 18]);
    expect(cross).toBeNull();
    expect(weight).toBe(1.5);
  });

  it('refuses rows that do not fit, negative weights and use after the end', async () => {
    const accumulator = new GramAccumulator(gemm, { inputs: 3, outputs: 2 });
    await expect(accumulator.add({ inputs: new Float32Array(4), outputs: new Float32Array(2) })).rejects.toThrow(ShapeError);
    await expect(accumulator.add({ inputs: new Float32Array(3) })).rejects.toThrow('outputs of rows of data hold 0 numbers, expected 2');
    await expect(
      accumulator.add({ inputs: new Float32Array(3), outputs: new Float32Array(2), weights: Float32Array.of(-1) }),
    ).rejects.toThrow(InternalError);
    await accumulator.add({ inputs: new Float32Array(3), outputs: new Float32Array(2) });
    expect((await accumulator.finish()).rows).toBe(1);
    await expect(accumulator.add({ inputs: new Float32Array(3), outputs: new Float32Array(2) })).rejects.toThrow(InternalError);
    expect(() => new GramAccumulator(gemm, { inputs: 0 })).toThrow(ShapeError);
  });

  it('says that numbers of the model are not finite', async () => {
    const accumulator = new GramAccumulator(gemm, { inputs: 2 });
    await accumulator.add({ inputs: Float32Array.of(1, Number.NaN) });
    await expect(accumulator.finish()).rejects.toThrow(PlanError);
  });

  it('stops between products', async () => {
    const accumulator = new GramAccumulator(gemm, { inputs: 64, width: 16 });
    const controller = new AbortController();
    controller.abort();
    await expect(accumulator.add({ inputs: new Float32Array(64 * 1024) }, controller.signal)).rejects.toThrow(CancelledError);
  });

  it('holds 14,336 channels in less than a gigabyte and a half, in small buffers', () => {
    const n = 14_336;
    const panels = Array.from({ length: panelCount(n, PANEL_WIDTH) }, (_, panel) => 8 * (n - panel * PANEL_WIDTH) * panelWidth(n, PANEL_WIDTH, panel));
    expect(Math.max(...panels)).toBeLessThan(2 ** 25);
    expect(gramBytes(n, 0).result).toBe(panels.reduce((sum, bytes) => sum + bytes, 0));
    expect(gramBytes(n, 0).result).toBeLessThan(0.84 * 2 ** 30);
    expect(gramBytes(n, 4096).whileAdding).toBeLessThan(1.5 * 2 ** 30);
  });
});
