/** Folds LoRA into the weights beside which it was trained: W becomes W + s B A, and the adapter is no longer needed. */
import type { ModelView } from '../model/view';
import type { LoraAdapter, LoraFactors } from './adapter';

/** A model with the adapter folded in, one weight at a time as it is read: each linear with an adapter is new memory. */
export function mergedView(view: ModelView, adapter: LoraAdapter): ModelView {
  return {
    config: view.config,
    readGlobal: (role) => view.readGlobal(role),
    async readLayer(layer, role) {
      const { shape, data } = await view.readLayer(layer, role);
      const target = adapter.targets.find((one) => one === role);
      const factors = target === undefined ? undefined : adapter.layers[layer]?.get(target);
      if (factors === undefined) return { shape, data };
      // Where the view is a model in memory, these are the model's own numbers.
      const merged = data.slice();
      addProduct(merged, factors, adapter.scale);
      return { shape, data: merged };
    },
  };
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
