/** Cholesky of one small dense block and the inverse of its factor, in plain float64: the part that products cannot do. */

/**
 * Factorises a symmetric matrix [n, n] in place: its lower triangle becomes L with L L^T = A, what is above becomes 0
 * (Golub and Van Loan, Matrix Computations, 4th ed., section 4.2). `floors` [n] are the pivots at or below which a
 * column counts as dependent on those before it. Returns the first such column, or -1 if there is none; then the block
 * is unusable. Cost: n^3 / 3 operations.
 */
export function factoriseBlock(block: Float64Array, size: number, floors: Float64Array): number {
  for (let row = 0; row < size; row++) {
    const own = row * size;
    for (let column = 0; column < row; column++) {
      const rest = (block[own + column] ?? 0) - dot(block, own, column * size, column);
      block[own + column] = rest / (block[column * size + column] ?? 0);
    }
    const pivot = (block[own + row] ?? 0) - dot(block, own, own, row);
    // Written so that NaN fails too.
    if (!(pivot > (floors[row] ?? 0))) return row;
    block[own + row] = Math.sqrt(pivot);
    block.fill(0, own + row + 1, own + size);
  }
  return -1;
}

/** The inverse of a lower triangular matrix [n, n], row by row (Higham, Accuracy and Stability, section 14.2). Cost: n^3 / 3. */
export function invertLower(lower: Float64Array, size: number): Float64Array {
  const inverse = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    const own = row * size;
    for (let before = 0; before < row; before++) {
      const factor = lower[own + before] ?? 0;
      const other = before * size;
      for (let column = 0; column <= before; column++) {
        inverse[own + column] = (inverse[own + column] ?? 0) - factor * (inverse[other + column] ?? 0);
      }
    }
    const scale = 1 / (lower[own + row] ?? 0);
    for (let column = 0; column < row; column++) inverse[own + column] = (inverse[own + column] ?? 0) * scale;
    inverse[own + row] = scale;
  }
  return inverse;
}

/** Sum of products of two runs of one array; four sums at a time, because each addition waits for the one before. */
function dot(data: Float64Array, left: number, right: number, count: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let at = 0;
  for (; at + 3 < count; at += 4) {
    a += (data[left + at] ?? 0) * (data[right + at] ?? 0);
    b += (data[left + at + 1] ?? 0) * (data[right + at + 1] ?? 0);
    c += (data[left + at + 2] ?? 0) * (data[right + at + 2] ?? 0);
    d += (data[left + at + 3] ?? 0) * (data[right + at + 3] ?? 0);
  }
  for (; at < count; at++) a += (data[left + at] ?? 0) * (data[right + at] ?? 0);
  return a + b + (c + d);
}
