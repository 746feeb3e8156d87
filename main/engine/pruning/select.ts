/** Chooses which units go: the least salient of each cluster, as many as the budget says, period by period. */
import { PlanError } from '../support/errors';
import { isLockedByUser } from './locks';
import type { PruningBudget } from './plan';
import type { UnitGroup } from './units';

/** Units that compete with one another, and how many of them go. Members index the list of groups. */
export interface Cluster {
  readonly members: readonly number[];
  readonly remove: number;
  /** Share of each member's units of which that many stay at least. */
  readonly keptShare: number;
}

/**
 * Shares of a group's units of which that many stay at least when groups compete: a layer that loses nearly all of a part
 * is lost. The first under which a size can be reached is the one that counts.
 */
export const KEPT_SHARES: readonly [number, ...number[]] = [0.2, 0.1, 0.05];

/**
 * The locks that a budget leaves room for: the user's, which always hold, and of `sensitive` (the most sensitive groups,
 * by sensitivity, the highest first) as many as can be kept. Where all layers must end equal, none of those can.
 */
export function locksThatHold(groups: readonly UnitGroup[], budget: PruningBudget, sensitive: readonly number[]): Set<number> {
  const own = new Set(groups.flatMap((group, index) => (isLockedByUser(budget.locks, group) ? [index] : [])));
  if (budget.mode === 'everywhere') return own;
  const held = new Set([...own, ...sensitive]);
  for (const { part, remove } of partBudgets(budget)) {
    const yielding = sensitive.filter((index) => groups[index]?.part === part && !own.has(index));
    while (removable(groups, part, held, budget.keptShare) < remove) {
      const last = yielding.pop();
      if (last === undefined) break;
      held.delete(last);
    }
  }
  return held;
}

/**
 * Clusters for a budget: each group alone where all layers must end equal, all unlocked groups of a part together
 * otherwise. Throws PlanError when too little may be removed.
 */
export function clustersFor(groups: readonly UnitGroup[], budget: PruningBudget, locked: ReadonlySet<number>): Cluster[] {
  if (budget.mode === 'everywhere') {
    return groups.map((group, index) => {
      const remove = group.size - (group.part === 'attention' ? budget.kvHeads : budget.ffn);
      return { members: [index], remove, keptShare: 0 };
    });
  }
  const { keptShare = KEPT_SHARES[0] } = budget;
  return partBudgets(budget).map(({ part, remove }) => {
    const most = removable(groups, part, locked, keptShare);
    if (remove > most) {
      const name = part === 'attention' ? 'attention groups' : 'feed-forward channels';
      throw new PlanError(`${remove} ${name} should go, but only ${most} may.`, {
        hint: 'Choose a larger size.',
        details: { part, remove, most },
      });
    }
    return { members: groups.flatMap((group, index) => (group.part === part && !locked.has(index) ? [index] : [])), remove, keptShare };
  });
}

function partBudgets(budget: Extract<PruningBudget, { mode: 'quality' }>): { part: UnitGroup['part']; remove: number }[] {
  return [
    { part: 'attention', remove: budget.kvGroupsRemoved },
    { part: 'mlp', remove: budget.channelsRemoved },
  ];
}

function removable(groups: readonly UnitGroup[], part: UnitGroup['part'], locked: ReadonlySet<number>, keptShare?: number): number {
  return groups.reduce((sum, group, index) => (group.part === part && !locked.has(index) ? sum + group.size - fewestKept(group.size, keptShare) : sum), 0);
}

/** Fewest units that a group keeps when it competes with others; never none. */
export function fewestKept(size: number, keptShare: number = KEPT_SHARES[0]): number {
  return Math.max(1, Math.ceil(size * keptShare));
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
  const left = new Map(cluster.members.map((group) => [group, (groups[group]?.size ?? 0) - (removed[group]?.size ?? 0)]));
  const chosen: { group: number; unit: number }[] = [];
  for (const { group, unit } of candidates) {
    if (chosen.length === count) break;
    const rest = left.get(group) ?? 0;
    if (rest <= fewestKept(groups[group]?.size ?? 0, cluster.keptShare)) continue;
    left.set(group, rest - 1);
    chosen.push({ group, unit });
  }
  return chosen;
}
