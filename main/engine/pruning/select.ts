/** Chooses which units go: the least salient of each cluster, as many as the budget says, period by period. */
import { PlanError } from '../support/errors';
import type { PruningBudget } from './plan';
import type { UnitGroup } from './units';

/** Units that compete with one another, and how many of them go. Members index the list of groups. */
export interface Cluster {
  readonly members: readonly number[];
  readonly remove: number;
}

/** Least share of a group's units that stays when groups compete: a layer that loses nearly all of a part is lost. */
const KEPT_SHARE = 0.2;

/**
 * Clusters for a budget: each group alone where all layers must end equal, all unlocked groups of a part together
 * otherwise. Throws PlanError when locks leave too little to remove.
 */
export function clustersFor(groups: readonly UnitGroup[], budget: PruningBudget, locked: ReadonlySet<number>): Cluster[] {
  if (budget.mode === 'everywhere') {
    return groups.map((group, index) => ({
      members: [index],
      remove: group.size - (group.part === 'attention' ? budget.kvHeads : budget.ffn),
    }));
  }
  return (['attention', 'mlp'] as const).map((part) => {
    const members = groups.flatMap((group, index) => (group.part === part && !locked.has(index) ? [index] : []));
    const remove = part === 'attention' ? budget.kvGroupsRemoved : budget.channelsRemoved;
    const most = members.reduce((sum, index) => sum + (groups[index]?.size ?? 0) - fewestKept(groups[index]), 0);
    if (remove > most) {
      throw new PlanError(`${remove} ${part} units should go, but only ${most} may.`, {
        hint: 'Choose a larger size, or a smaller unprunable share.',
        details: { part, remove, most },
      });
    }
    return { members, remove };
  });
}

/** Fewest units that a group keeps when it competes with others. */
export function fewestKept(group: UnitGroup | undefined): number {
  return group === undefined ? 0 : Math.max(1, Math.ceil(group.size * KEPT_SHARE));
}

/**
 * The next `count` units of a cluster to go: lowest scores first, ties by position. `removed` holds the units of each
 * group that are gone already; no group falls below what it must keep.
 */
export function leastSalient(
  cluster: Cluster,
  count: number,
  groups: readonly UnitGroup[],
  scores: readonly Float64Array[],
  removed: readonly ReadonlySet<number>[],
): { readonly group: number; readonly unit: number }[] {
  const candidates = cluster.members.flatMap((group) =>
    Array.from(scores[group] ?? [], (score, unit) => ({ group, unit, score })).filter(({ unit }) => removed[group]?.has(unit) !== true),
  );
  candidates.sort((a, b) => a.score - b.score || a.group - b.group || a.unit - b.unit);
  const alone = cluster.members.length === 1;
  const left = new Map(cluster.members.map((group) => [group, (groups[group]?.size ?? 0) - (removed[group]?.size ?? 0)]));
  const chosen: { group: number; unit: number }[] = [];
  for (const { group, unit } of candidates) {
    if (chosen.length === count) break;
    const rest = left.get(group) ?? 0;
    if (!alone && rest <= fewestKept(groups[group])) continue;
    left.set(group, rest - 1);
    chosen.push({ group, unit });
  }
  return chosen;
}
