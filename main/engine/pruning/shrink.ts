/**
 * One shrinking step of redundant units (LoRAShear, Algorithm 4): the half-space projection of the paper, or the
 * linear decay of the released code. Acts in place on the units' result rows, which make the unit exactly nothing
 * once they are zero; the columns that consume it are sliced away when the smaller model is made.
 */
import type { LoraAdapter } from '../execution/adapter';
import { layerTensor, type LoadedLayer } from '../execution/loaded-model';
import { addProductRow } from '../execution/merge';
import { isLinear } from './saliency';
import type { UnitGroup } from './units';

/** A unit that is being removed. */
export interface ShrinkingUnit {
  readonly group: UnitGroup;
  readonly unit: number;
}

export interface ShrinkStep {
  /** Steps left in the period, this one included; after the last the unit is exactly zero. */
  readonly stepsLeft: number;
  /** epsilon of the half-space test. */
  readonly epsilon: number;
  readonly rule: 'halfSpace' | 'linearDecay';
}

/** Applies one step to one unit of a layer. */
export function shrinkUnit(layer: LoadedLayer, adapter: LoraAdapter, { group, unit }: ShrinkingUnit, step: ShrinkStep): void {
  const rows = unitRows(layer, group, unit);
  if (step.rule === 'linearDecay') {
    const share = (step.stepsLeft - 1) / step.stepsLeft;
    for (const row of rows) scale(row, share);
    for (const factor of factorRows(adapter, group, unit)) scale(factor, share);
    return;
  }
  // lambda_g x_g / ||x_g|| with lambda_g = ||x_g|| / stepsLeft takes the same share of x_g off in each step that is left.
  const keep = 1 - 1 / step.stepsLeft;
  const before = rows.map((row) => row.slice());
  for (const row of rows) scale(row, keep);
  addLora(layer, adapter, group, unit);
  let [projected, square] = [0, 0];
  rows.forEach((row, index) => {
    const old = before[index] ?? row;
    for (let at = 0; at < row.length; at++) {
      projected += (row[at] ?? 0) * (old[at] ?? 0);
      square += (old[at] ?? 0) ** 2;
    }
  });
  // A unit that was projected to zero stays there: there is no half-space left that it could be in.
  if (step.stepsLeft === 1 || square === 0 || projected < step.epsilon * square) for (const row of rows) row.fill(0);
  for (const factor of factorRows(adapter, group, unit)) factor.fill(0);
}

/** The unit's result rows of every weight, biases included, as views: all of the weights that shrinking changes. */
export function unitRows(layer: LoadedLayer, group: UnitGroup, unit: number): Float32Array[] {
  return group.weights.flatMap((slice) => {
    if (slice.side !== 'output') return [];
    const { shape, data } = layerTensor(layer, slice.role);
    const width = shape[1] ?? 1;
    return [data.subarray(unit * slice.inner * width, (unit + 1) * slice.inner * width)];
  });
}

/** The unit's rows of every LoRA-B factor, as views. */
function factorRows(adapter: LoraAdapter, group: UnitGroup, unit: number): Float32Array[] {
  return group.factors.flatMap(({ role, factor, axis, inner }) => {
    const b = adapter.layers[group.layer]?.get(role)?.b;
    if (factor !== 'b' || axis !== 0 || b === undefined) return [];
    return [b.data.subarray(unit * inner * adapter.rank, (unit + 1) * inner * adapter.rank)];
  });
}

/** Adds the unit's rows of s B A to the weights. */
function addLora(layer: LoadedLayer, adapter: LoraAdapter, group: UnitGroup, unit: number): void {
  for (const { role, side, inner } of group.weights) {
    if (side !== 'output' || !isLinear(role)) continue;
    const factors = adapter.layers[group.layer]?.get(role);
    if (factors === undefined) continue;
    const { shape, data } = layerTensor(layer, role);
    const product = { a: factors.a.data, b: factors.b.data, rank: adapter.rank, scale: adapter.scale };
    for (let row = unit * inner; row < (unit + 1) * inner; row++) addProductRow(data, row, shape[1] ?? 0, product);
  }
}

function scale(values: Float32Array, share: number): void {
  for (let at = 0; at < values.length; at++) values[at] = (values[at] ?? 0) * share;
}
