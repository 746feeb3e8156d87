/** A matrix in memory, turned over. */
import { ShapeError } from '../support/errors';
import type { Tensor32 } from './handle';

/** Side of the squares that are turned one after the other, so that neither reading nor writing jumps far. */
const SQUARE = 32;

/** [N, M] to [M, N], in new memory. Throws ShapeError for what is no matrix. */
export function transposed({ shape, data }: Tensor32): Tensor32 {
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) {
    throw new ShapeError(`Only matrices can be transposed; this has the shape [${shape.join(', ')}].`);
  }
  const turned = new Float32Array(data.length);
  for (let top = 0; top < rows; top += SQUARE) {
    const bottom = Math.min(top + SQUARE, rows);
    for (let left = 0; left < columns; left += SQUARE) {
      const right = Math.min(left + SQUARE, columns);
      for (let column = left; column < right; column++) {
        for (let row = top; row < bottom; row++) turned[column * rows + row] = data[row * columns + column] ?? 0;
      }
    }
  }
  return { shape: [columns, rows], data: turned };
}
