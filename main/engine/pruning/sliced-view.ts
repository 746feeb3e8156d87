/**
 * The model of a plan without loading the model that it was made for: every weight is sliced when it is read, so a
 * checkpoint larger than memory can be pruned on its way into another file.
 */
import type { LayerRole } from '../model/config';
import type { ModelView } from '../model/view';
import { sliceRows, type Cut } from '../tensors/rows';
import { takeAlong, unitPositions } from './slice-units';
import { plannedGroup, shapesAfter, type PruningPlan } from './plan';
import type { UnitGroup } from './units';

const NO_CUT: Cut = { rows: null, columns: null };

/** `view` without the units that the plan removes: a plain dense model. Throws PlanError as `shapesAfter` does. */
export function slicedView(view: ModelView, groups: readonly UnitGroup[], plan: PruningPlan): ModelView {
  const cuts = planCuts(groups, plan);
  const cutOf = (layer: number, role: LayerRole): Cut => cuts.get(layer)?.get(role) ?? NO_CUT;
  return {
    config: { ...view.config, layers: shapesAfter(view.config, plan) },
    readGlobal: (role) => view.readGlobal(role),
    globalRows: (role) => view.globalRows?.(role) ?? null,
    async readLayer(layer, role) {
      const { rows, columns } = cutOf(layer, role);
      let tensor = await view.readLayer(layer, role);
      if (rows !== null) tensor = takeAlong(tensor, 0, rows);
      if (columns !== null) tensor = takeAlong(tensor, 1, columns);
      return tensor;
    },
    layerRows(layer, role) {
      const rows = view.layerRows?.(layer, role) ?? null;
      return rows === null ? null : sliceRows(rows, cutOf(layer, role));
    },
  };
}

/** For each layer and weight, which rows and columns stay. */
function planCuts(groups: readonly UnitGroup[], plan: PruningPlan): ReadonlyMap<number, ReadonlyMap<LayerRole, Cut>> {
  const cuts = new Map<number, Map<LayerRole, Cut>>();
  for (const group of groups) {
    const planned = plannedGroup(plan, group);
    if (planned === undefined || planned.kept.length === group.size) continue;
    const layer = cuts.get(group.layer) ?? new Map<LayerRole, Cut>();
    cuts.set(group.layer, layer);
    for (const slice of group.weights) {
      const positions = unitPositions(slice, group.size, planned.kept);
      const known = layer.get(slice.role) ?? NO_CUT;
      layer.set(slice.role, slice.axis === 0 ? { ...known, rows: positions } : { ...known, columns: positions });
    }
  }
  return cuts;
}
