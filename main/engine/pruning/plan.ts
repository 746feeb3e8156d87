/** The plan object over which every pruning method works: for each unit group, what is kept and why. */
import type { LayerShape, ModelConfig } from '../model/config';
import { PlanError } from '../support/errors';
import type { UserLocks } from './locks';
import type { Part, UnitGroup } from './units';

export interface PlannedGroup {
  readonly layer: number;
  readonly part: Part;
  readonly size: number;
  /** Original indices of the units that stay, ascending. */
  readonly kept: readonly number[];
  /** Score of each unit when it was decided; the lower, the sooner removed. */
  readonly scores: readonly number[];
  /** The period in which each unit went, from 0; null for those that stay. Absent where units did not go by periods. */
  readonly removedIn?: readonly (number | null)[] | undefined;
  /** True when the group stays whole: the knowledge analysis marked it unprunable, or the user locked it. */
  readonly locked: boolean;
  /** True when it was the user. */
  readonly lockedByUser?: boolean | undefined;
}

export interface PruningPlan {
  readonly groups: readonly PlannedGroup[];
}

/** What a plan has to reach. In mode `quality` each group keeps at least `keptShare` of its units (`KEPT_SHARES`). */
export type PruningBudget = (
  | { readonly mode: 'everywhere'; readonly kvHeads: number; readonly ffn: number }
  | { readonly mode: 'quality'; readonly kvGroupsRemoved: number; readonly channelsRemoved: number; readonly keptShare?: number }
) & {
  /** What the user keeps whole. */
  readonly locks?: UserLocks;
};

/** The sizes of each layer after a plan. Throws PlanError if the plan leaves a part with nothing. */
export function shapesAfter(config: ModelConfig, plan: PruningPlan): LayerShape[] {
  return config.layers.map((shape, layer) => {
    const keptOf = (part: Part): number | undefined =>
      plan.groups.find((group) => group.layer === layer && group.part === part)?.kept.length;
    const kvHeads = keptOf('attention') ?? shape.kvHeads;
    const ffn = keptOf('mlp') ?? shape.ffn;
    if (kvHeads === 0 || ffn === 0) {
      throw new PlanError(`The plan leaves layer ${layer} without ${kvHeads === 0 ? 'attention' : 'feed-forward channels'}.`, {
        hint: 'Choose a larger size.',
        details: { layer },
      });
    }
    return { kvHeads, heads: (shape.heads / shape.kvHeads) * kvHeads, ffn };
  });
}

/** Who keeps a planned group whole; null where nobody does, or where there is no such group. */
export function lockedBy(group: Pick<PlannedGroup, 'locked' | 'lockedByUser'> | undefined): 'knowledge' | 'user' | null {
  if (group?.locked !== true) return null;
  return group.lockedByUser === true ? 'user' : 'knowledge';
}

/** The group of a plan that speaks of a unit group's units, or undefined. */
export function plannedGroup(plan: PruningPlan, group: Pick<UnitGroup, 'layer' | 'part'>): PlannedGroup | undefined {
  return plan.groups.find(({ layer, part }) => layer === group.layer && part === group.part);
}
