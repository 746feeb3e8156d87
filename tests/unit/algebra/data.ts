/** Data for the tests of least squares: random rows, correlated columns, and sums that lose nothing. */
import type { Random } from '../../../main/engine/support/random';

/** Normal numbers as float32. */
export function normals(random: Random, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => random.nextNormal());
}

/** Rows [rows, n] whose columns lean on the one before (correlation about 0.9) and whose scales span `decades` powers of ten. */
export function correlatedRows(random: Random, rows: number, n: number, decades: number): Float32Array {
  const data = new Float32Array(rows * n);
  for (let row = 0; row < rows; row++) {
    let last = 0;
    for (let column = 0; column < n; column++) {
      last = 0.9 * last + 0.44 * random.nextNormal();
      data[row * n + column] = last * 10 ** ((-decades * column) / n);
    }
  }
  return data;
}

/** Sum of `count` terms by compensation (Neumaier 1974): exact to the last bits of float64. */
export function exactSum(count: number, term: (index: number) => number): number {
  let [sum, lost] = [0, 0];
  for (let index = 0; index < count; index++) {
    const value = term(index);
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}
