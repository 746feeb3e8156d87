/**
 * Frozen weights in 8 bits, for gradients that flow back through them: each column by its largest number, made when
 * first asked for and kept, a quarter of the weights' own memory.
 */
import { readLayer, type ExecutableModel } from '../execution/loaded-model';
import { INT8_LARGEST } from '../graph/ops/int8-product';
import { int8Names } from '../graph/passes/int8-products';
import { LINEAR_ROLES, type LinearRole } from '../model/config';
import { float32, int8, type RuntimeTensor } from '../runtime/session';
import type { Tensor32 } from '../tensors/handle';

/** The weights through which 8-bit gradients flow. */
export const INT8_WEIGHTS: ReadonlySet<string> = new Set(LINEAR_ROLES);

/** A matrix [K, N] as whole numbers times a scale for each column. */
export interface Int8Matrix {
  readonly values: Int8Array;
  /** [N] */
  readonly scales: Float32Array;
}

export class Int8Weights {
  private readonly layers = new Map<number, ReadonlyMap<LinearRole, Int8Matrix>>();

  constructor(private readonly model: ExecutableModel) {}

  /** Adds a layer's weights to the feeds of its backward graph. */
  async addTo(feeds: Map<string, RuntimeTensor>, layer: number): Promise<void> {
    for (const [role, { values, scales }] of await this.layer(layer)) {
      const names = int8Names(role);
      feeds.set(names.values, int8(values, [values.length / scales.length, scales.length]));
      feeds.set(names.scales, float32(scales, [scales.length]));
    }
  }

  private async layer(index: number): Promise<ReadonlyMap<LinearRole, Int8Matrix>> {
    const known = this.layers.get(index);
    if (known !== undefined) return known;
    const { tensors } = await readLayer(this.model, index);
    const made = new Map<LinearRole, Int8Matrix>();
    for (const role of LINEAR_ROLES) {
      const tensor = tensors.get(role);
      if (tensor !== undefined) made.set(role, quantiseColumns(tensor));
    }
    this.layers.set(index, made);
    return made;
  }
}

/** Rounds a matrix [K, N] to 8 bits, its columns by their largest magnitudes. */
export function quantiseColumns({ data, shape }: Tensor32): Int8Matrix {
  const columns = shape[1] ?? 1;
  const largest = new Float32Array(columns);
  for (let start = 0; start < data.length; start += columns) {
    for (let column = 0; column < columns; column++) {
      const size = Math.abs(data[start + column] ?? 0);
      if (size > (largest[column] ?? 0)) largest[column] = size;
    }
  }
  const scales = largest.map((size) => size / INT8_LARGEST);
  const factors = largest.map((size) => (size === 0 ? 0 : INT8_LARGEST / size));
  const values = new Int8Array(data.length);
  for (let start = 0; start < data.length; start += columns) {
    for (let column = 0; column < columns; column++) {
      values[start + column] = Math.round((data[start + column] ?? 0) * (factors[column] ?? 0));
    }
  }
  return { values, scales };
}
