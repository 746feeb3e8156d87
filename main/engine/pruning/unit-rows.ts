/** The rows of units that are being removed, over all layers of a model: changed, copied, and put back. */
import type { Executor } from '../execution/executor';
import { readLayer, type ExecutableModel, type LoadedLayer } from '../execution/loaded-model';
import { unitRows, type ShrinkingUnit } from './shrink';

/** Changes units in place, those of a layer together. */
export async function changeUnits(
  executor: Executor,
  model: ExecutableModel,
  units: readonly ShrinkingUnit[],
  change: (layer: LoadedLayer, own: readonly ShrinkingUnit[]) => void,
): Promise<void> {
  for (const index of model.config.layers.keys()) {
    const own = units.filter(({ group }) => group.layer === index);
    if (own.length > 0) await executor.changeLayer(model, index, (layer) => change(layer, own));
  }
}

/** Copies of the units' rows, those of a layer in one array. */
export async function readRows(model: ExecutableModel, units: readonly ShrinkingUnit[]): Promise<Float32Array[]> {
  const copies: Float32Array[] = [];
  for (const index of model.config.layers.keys()) {
    const own = units.filter(({ group }) => group.layer === index);
    // A layer of a model on disk is not read for nothing.
    const layer = own.length === 0 ? null : await readLayer(model, index);
    const rows = layer === null ? [] : own.flatMap(({ group, unit }) => unitRows(layer, group, unit));
    const copy = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
    let at = 0;
    for (const row of rows) {
      copy.set(row, at);
      at += row.length;
    }
    copies.push(copy);
  }
  return copies;
}

/** Puts back what `readRows` copied of the same units. */
export async function writeRows(executor: Executor, model: ExecutableModel, units: readonly ShrinkingUnit[], copies: readonly Float32Array[]): Promise<void> {
  await changeUnits(executor, model, units, (layer, own) => {
    const copy = copies[own[0]?.group.layer ?? 0] ?? new Float32Array(0);
    let at = 0;
    for (const { group, unit } of own) {
      for (const row of unitRows(layer, group, unit)) {
        row.set(copy.subarray(at, at + row.length));
        at += row.length;
      }
    }
  });
}
