/**
 * Saliency of units: the criteria of the authors' released code (microsoft/only_train_once at 1797f16,
 * importance_score/), which compare a unit's weights W with its LoRA change dW = s B A, and a first-order Taylor score
 * from the gradient of a gate on each unit. Each criterion is divided by its L2 norm over the part, weighted, summed.
 */
import type { Criterion } from '../../../preload/contract/recipe';
import type { LoraAdapter } from '../execution/adapter';
import { layerTensor, readLayer, type ExecutableModel, type LoadedLayer } from '../execution/loaded-model';
import type { LayerGates } from '../execution/executor';
import { addProductRow } from '../execution/merge';
import { LINEAR_ROLES, type LinearRole } from '../model/config';
import type { Part, UnitGroup } from './units';

/** Sums over a unit's result rows, from which every weight criterion follows. */
interface UnitStatistics {
  readonly weightSquare: number;
  readonly changeSquare: number;
  readonly product: number;
  readonly count: number;
}

/** Score of one unit from its statistics; the lower, the less it matters. */
const weightCriteria: Readonly<Record<Exclude<Criterion, 'gateTaylor'>, (unit: UnitStatistics) => number>> = {
  magnitude: ({ weightSquare }) => Math.sqrt(weightSquare),
  averageMagnitude: ({ weightSquare, count }) => Math.sqrt(weightSquare / count),
  cosine: ({ weightSquare, changeSquare, product }) => 1 + product / Math.max(Math.sqrt(weightSquare * changeSquare), 1e-30),
  taylorFirst: ({ product }) => Math.abs(product),
  taylorSecond: ({ product }) => 0.5 * product * product,
};

export interface SaliencyInputs {
  readonly model: ExecutableModel;
  readonly adapter: LoraAdapter;
  /** Mean absolute gate gradients of each layer. */
  readonly gates: readonly LayerGates[];
}

export interface ScoreOptions {
  /** Measured deviations of the units of some groups, which take the place of their scores. */
  readonly measured?: readonly (ArrayLike<number> | null)[];
  /** Whether a unit may still be pruned: the norms are over those alone. */
  readonly counts?: (group: number, unit: number) => boolean;
}

/** Scores of every unit of every group, in the order of `groups`. */
export async function scoreUnits(
  groups: readonly UnitGroup[],
  inputs: SaliencyInputs,
  criteria: Readonly<Partial<Record<Criterion, number>>>,
  options: ScoreOptions = {},
): Promise<Float64Array[]> {
  const total = groups.map((group) => new Float64Array(group.size));
  for (const [name, weight] of Object.entries(criteria)) {
    if (weight === 0) continue;
    const scores: Float64Array[] = [];
    for (const group of groups) scores.push(await criterionScores(name, group, inputs));
    for (const part of ['attention', 'mlp'] as const) addNormalised(total, scores, groups, part, weight, options.counts);
  }
  options.measured?.forEach((deviations, index) => {
    if (deviations !== null) total[index] = Float64Array.from(deviations);
  });
  return total;
}

async function criterionScores(name: string, group: UnitGroup, inputs: SaliencyInputs): Promise<Float64Array> {
  if (name === 'gateTaylor') return Float64Array.from(inputs.gates[group.layer]?.[group.part] ?? []);
  const criterion = weightCriteria[name as keyof typeof weightCriteria];
  const layer = await readLayer(inputs.model, group.layer);
  return Float64Array.from({ length: group.size }, (_, unit) => criterion(statisticsOf(layer, group, unit, inputs.adapter)));
}

function addNormalised(
  total: readonly Float64Array[],
  scores: readonly Float64Array[],
  groups: readonly UnitGroup[],
  part: Part,
  weight: number,
  counts: ScoreOptions['counts'] = () => true,
): void {
  let square = 0;
  groups.forEach((group, index) => {
    if (group.part !== part) return;
    scores[index]?.forEach((score, unit) => {
      if (counts(index, unit)) square += score * score;
    });
  });
  const scale = square === 0 ? 0 : weight / Math.sqrt(square);
  groups.forEach((group, index) => {
    const target = total[index];
    if (group.part !== part || target === undefined) return;
    scores[index]?.forEach((score, unit) => {
      target[unit] = (target[unit] ?? 0) + score * scale;
    });
  });
}

function statisticsOf(layer: LoadedLayer, group: UnitGroup, unit: number, adapter: LoraAdapter): UnitStatistics {
  let [weightSquare, changeSquare, product, count] = [0, 0, 0, 0];
  for (const slice of group.weights) {
    if (slice.side !== 'output' || !isLinear(slice.role)) continue;
    const { shape, data } = layerTensor(layer, slice.role);
    const width = shape[1] ?? 0;
    const factors = adapter.layers[group.layer]?.get(slice.role);
    const change = new Float32Array(width);
    for (let row = unit * slice.inner; row < (unit + 1) * slice.inner; row++) {
      change.fill(0);
      if (factors !== undefined) {
        const b = factors.b.data.subarray(row * adapter.rank, (row + 1) * adapter.rank);
        addProductRow(change, 0, width, { a: factors.a.data, b, rank: adapter.rank, scale: adapter.scale });
      }
      for (let column = 0; column < width; column++) {
        const w = data[row * width + column] ?? 0;
        const d = change[column] ?? 0;
        weightSquare += w * w;
        changeSquare += d * d;
        product += w * d;
      }
      count += width;
    }
  }
  return { weightSquare, changeSquare, product, count };
}

/** Whether a role is one of the seven linears rather than a bias or norm. */
export function isLinear(role: string): role is LinearRole {
  return (LINEAR_ROLES as readonly string[]).includes(role);
}
