import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../main/engine/support/errors';
import { transposed } from '../../main/engine/tensors/transpose';

describe('a matrix turned over', () => {
  it('has at [column, row] what was at [row, column], also at the edges of its squares', () => {
    const [rows, columns] = [33, 70];
    const matrix = { shape: [rows, columns], data: Float32Array.from({ length: rows * columns }, (_, index) => index) };
    const { shape, data } = transposed(matrix);
    expect(shape).toEqual([columns, rows]);
    expect(data).toEqual(Float32Array.from(matrix.data, (_, at) => (at % rows) * columns + Math.floor(at / rows)));
  });

  it('is refused for what is no matrix', () => {
    expect(() => transposed({ shape: [4], data: new Float32Array(4) })).toThrow(ShapeError);
  });
});
