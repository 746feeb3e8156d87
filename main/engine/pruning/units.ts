/**
 * The structures that pruning chooses among: the node groups found in the traced graph whose removal the model's
 * description can express, a layer's key/value groups and a layer's feed-forward channels.
 */
import type { LayerRole, LinearRole, ModelConfig } from '../model/config';
import { LINEAR_ROLES } from '../model/config';
import { canLoseHeads } from '../model/families/index';
import { PlanError } from '../support/errors';
import { findNodeGroups, type ParameterSlice } from './dependencies/groups';
import { traceModel } from './dependencies/trace';

export type Part = 'attention' | 'mlp';

/** The slice of one weight that belongs to each unit; layout as in ParameterSlice. */
export interface WeightSlice {
  readonly role: LayerRole;
  readonly axis: number;
  readonly outer: number;
  readonly inner: number;
  readonly side: ParameterSlice['side'];
}

/** The slice of one LoRA factor that belongs to each unit. */
export interface FactorSlice {
  readonly role: LinearRole;
  readonly factor: 'a' | 'b';
  readonly axis: number;
  readonly outer: number;
  readonly inner: number;
}

/** One node group: `size` units of one layer, any of which can be removed. */
export interface UnitGroup {
  readonly layer: number;
  readonly part: Part;
  readonly size: number;
  readonly weights: readonly WeightSlice[];
  readonly factors: readonly FactorSlice[];
}

/**
 * The unit groups of a model, by layer, attention first. A part whose layer has a single unit left has no group.
 * Throws PlanError if nothing can be removed at all.
 */
export function findUnitGroups(config: ModelConfig, targets: readonly LinearRole[] = LINEAR_ROLES, rank = 2): UnitGroup[] {
  const { graph, parameters } = traceModel(config, targets, rank);
  const groups = findNodeGroups(graph, new Set(parameters.keys())).flatMap((group): UnitGroup[] => {
    if (group.unprunable !== null) return [];
    const weights: WeightSlice[] = [];
    const factors: FactorSlice[] = [];
    const layers = new Set<number>();
    for (const { parameter, axis, outer, inner, side } of group.slices) {
      const identity = parameters.get(parameter);
      if (identity === undefined) continue;
      layers.add(identity.layer);
      if (identity.kind === 'weight') weights.push({ role: identity.role, axis, outer, inner, side });
      else factors.push({ role: identity.role, factor: identity.factor, axis, outer, inner });
    }
    const [layer] = layers;
    const part = layers.size === 1 ? expressiblePart(weights) : null;
    // Where no program opens a model with fewer heads, they are no units, though they could be cut.
    if (part === 'attention' && !canLoseHeads(config)) return [];
    return layer === undefined || part === null ? [] : [{ layer, part, size: group.size, weights, factors }];
  });
  if (groups.length === 0) {
    throw new PlanError('Nothing can be removed from this model: its layers have no heads or channels to spare.');
  }
  return groups.sort((a, b) => a.layer - b.layer || a.part.localeCompare(b.part));
}

/**
 * Which size of a LayerShape the removal of a unit lowers: key/value groups lower `kvHeads` and `heads` together,
 * channels lower `ffn`. Single query heads and head widths are found too, but no file format holds them per layer yet.
 */
function expressiblePart(weights: readonly WeightSlice[]): Part | null {
  if (weights.some(({ outer }) => outer !== 1)) return null;
  const produces = (role: LayerRole): boolean => weights.some((slice) => slice.role === role && slice.side === 'output');
  if (produces('k') && produces('q')) return 'attention';
  if (produces('up') && weights.every(({ inner }) => inner === 1)) return 'mlp';
  return null;
}
