/** Folds LoRA into the weights beside which it was trained: W becomes W + s B A, and the adapter is no longer needed. */
import type { LayerRole } from '../model/config';
import type { Tensor32 } from '../tensors/handle';
import type { LoraAdapter, LoraFactors } from './adapter';
import type { LoadedModel } from './loaded-model';

/** A model with the adapter folded in. Linears with an adapter are new; everything else is shared with `model`. */
export function mergeAdapter(model: LoadedModel, adapter: LoraAdapter): LoadedModel {
  const layers = model.layers.map((layer, index) => {
    const tensors = new Map<LayerRole, Tensor32>(layer.tensors);
    for (const [role, factors] of adapter.layers[index] ?? []) {
      const weight = tensors.get(role);
      if (weight === undefined) continue;
      const data = weight.data.slice();
      addProduct(data, factors, adapter.scale);
      tensors.set(role, { shape: weight.shape, data });
    }
    return { shape: layer.shape, tensors };
  });
  return { ...model, layers };
}

/** Adds s B A to a weight [out, in] in place. Cost: out x in x R. */
export function addProduct(weight: Float32Array, { a, b }: LoraFactors, scale: number): void {
  const [out = 0, rank = 0] = b.shape;
  const width = a.shape[1] ?? 0;
  for (let row = 0; row < out; row++) addProductRow(weight, row, width, { a: a.data, b: b.data, rank, scale });
}

/** Adds row `row` of s B A to the same row of a weight in place. */
export function addProductRow(
  weight: Float32Array,
  row: number,
  width: number,
  { a, b, rank, scale }: { readonly a: Float32Array; readonly b: Float32Array; readonly rank: number; readonly scale: number },
): void {
  const start = row * width;
  for (let inner = 0; inner < rank; inner++) {
    const factor = scale * (b[row * rank + inner] ?? 0);
    if (factor === 0) continue;
    const offset = inner * width;
    for (let column = 0; column < width; column++) {
      weight[start + column] = (weight[start + column] ?? 0) + factor * (a[offset + column] ?? 0);
    }
  }
}
