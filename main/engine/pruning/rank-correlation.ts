/** Spearman's rank correlation: how alike two measures order the same things. */

/**
 * Correlation of the ranks of two lists of equal length, -1 to 1; equal values share the mean of their ranks. Null where
 * it says nothing: fewer than two things, values that are not numbers, or a list whose values are all equal.
 */
export function rankCorrelation(one: readonly number[], other: readonly number[]): number | null {
  if (one.length < 2 || one.length !== other.length || [...one, ...other].some(Number.isNaN)) return null;
  const [a, b] = [ranks(one), ranks(other)];
  const middle = (one.length - 1) / 2;
  let [product, squareA, squareB] = [0, 0, 0];
  a.forEach((rank, at) => {
    const [x, y] = [rank - middle, (b[at] ?? 0) - middle];
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  });
  return squareA === 0 || squareB === 0 ? null : product / Math.sqrt(squareA * squareB);
}

/** Ranks from 0. */
function ranks(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const found = new Array<number>(values.length).fill(0);
  for (let start = 0; start < order.length; ) {
    const value = values[order[start] ?? 0];
    let end = start;
    while (end < order.length && values[order[end] ?? 0] === value) end++;
    for (let at = start; at < end; at++) found[order[at] ?? 0] = (start + end - 1) / 2;
    start = end;
  }
  return found;
}
