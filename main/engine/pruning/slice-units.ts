/** Slices weights by units: every weight that a removed unit owns a part of (LoRAShear, section 3: output rows and the columns that consume them). */
import type { LayerRole } from '../model/config';
import type { Tensor32 } from '../tensors/handle';
import type { UnitGroup, WeightSlice } from './units';

/** A layer's weights with only the kept units of one group. */
export function sliceTensors(
  tensors: ReadonlyMap<LayerRole, Tensor32>,
  group: UnitGroup,
  kept: readonly number[],
): Map<LayerRole, Tensor32> {
  const sliced = new Map(tensors);
  for (const slice of group.weights) {
    const tensor = sliced.get(slice.role);
    if (tensor !== undefined) sliced.set(slice.role, takeAlong(tensor, slice.axis, unitPositions(slice, group.size, kept)));
  }
  return sliced;
}

/** Where along the axis of a weight the kept of `size` units lie, ascending. */
export function unitPositions({ outer, inner }: Pick<WeightSlice, 'outer' | 'inner'>, size: number, kept: readonly number[]): number[] {
  const positions: number[] = [];
  for (let block = 0; block < outer; block++) {
    for (const unit of kept) {
      for (let at = 0; at < inner; at++) positions.push((block * size + unit) * inner + at);
    }
  }
  return positions;
}

/** The entries at `positions` along an axis of a vector or matrix. */
export function takeAlong(tensor: Tensor32, axis: number, positions: readonly number[]): Tensor32 {
  const [rows = 0, columns = 1] = tensor.shape;
  if (axis === 0) {
    const data = new Float32Array(positions.length * columns);
    positions.forEach((row, at) => {
      data.set(tensor.data.subarray(row * columns, (row + 1) * columns), at * columns);
    });
    return { shape: [positions.length, ...tensor.shape.slice(1)], data };
  }
  const data = new Float32Array(rows * positions.length);
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < positions.length; at++) {
      data[row * positions.length + at] = tensor.data[row * columns + (positions[at] ?? 0)] ?? 0;
    }
  }
  return { shape: [rows, positions.length], data };
}
