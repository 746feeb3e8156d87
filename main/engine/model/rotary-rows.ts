/**
 * The two orders of the rows of q and k within a head: Hugging Face keeps the first halves of all rotary pairs before
 * the second halves; Meta's files and most GGUF architectures keep each pair side by side.
 */

/** From pairs side by side to half-split, in place. `values` is [rows, width]; rows come in heads of `headDim`. */
export function makeHalfSplit(values: Float32Array, headDim: number, width: number): void {
  const headSize = headDim * width;
  for (let start = 0; start < values.length; start += headSize) {
    const head = values.subarray(start, start + headSize);
    head.set(toHalfSplit(head, headDim, width));
  }
}

/** The same in new memory. */
export function toHalfSplit(values: Float32Array, headDim: number, width: number): Float32Array {
  return moveRows(values, headDim, width, (half, pair) => [pair * 2 + half, half * (headDim / 2) + pair]);
}

/** From half-split to pairs side by side: the inverse of `toHalfSplit`. New memory. */
export function toInterleaved(values: Float32Array, headDim: number, width: number): Float32Array {
  return moveRows(values, headDim, width, (half, pair) => [half * (headDim / 2) + pair, pair * 2 + half]);
}

function moveRows(
  values: Float32Array,
  headDim: number,
  width: number,
  rows: (half: number, pair: number) => readonly [from: number, to: number],
): Float32Array {
  const moved = new Float32Array(values.length);
  const headSize = headDim * width;
  for (let half = 0; half < 2; half++) {
    for (let pair = 0; pair < headDim / 2; pair++) {
      const [from, to] = rows(half, pair);
      for (let head = 0; head < values.length; head += headSize) {
        const start = head + from * width;
        moved.set(values.subarray(start, start + width), head + to * width);
      }
    }
  }
  return moved;
}

/** Whether a layer role has rotary rows (q and k, weights and biases). */
export function hasRotaryRows(role: string): boolean {
  return role === 'q' || role === 'k' || role === 'q.bias' || role === 'k.bias';
}
