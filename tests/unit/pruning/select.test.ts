import { describe, expect, it } from 'vitest';
import { planWidths } from '../../../main/engine/jobs/size';
import { clustersFor, leastSalient, locksThatHold } from '../../../main/engine/pruning/select';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { tinyConfig } from '../../support/tiny-model';

const config = tinyConfig({ layers: Array.from({ length: 4 }, () => ({ heads: 4, kvHeads: 4, ffn: 30 })) });
const groups = findUnitGroups(config);
const mlp = groups.flatMap(({ part }, index) => (part === 'mlp' ? [index] : []));

describe('choosing what goes', () => {
  it('lets the least sensitive locks give way where they leave too little to remove', () => {
    const budget = { mode: 'quality', kvGroupsRemoved: 0, channelsRemoved: 60 } as const;
    // Each of the four layers can give 24 of its 30 channels: three unlocked layers are needed for 60.
    expect(locksThatHold(groups, budget, [mlp[2] ?? 0, mlp[0] ?? 0])).toEqual(new Set([mlp[2]]));
    expect(() => clustersFor(groups, budget, locksThatHold(groups, budget, mlp))).not.toThrow();
  });

  it('spares no layer where all must end equal', () => {
    expect(locksThatHold(groups, { mode: 'everywhere', kvHeads: 4, ffn: 20 }, mlp).size).toBe(0);
  });

  it.each([0.3, 0.5, 0.7])('can do what the size forecast promises at %f', (ratio) => {
    const budget = planWidths(config, { kind: 'ratio', ratio }, 'quality', { format: 'safetensors', dtype: 'F16' });
    if (budget.mode !== 'quality') throw new Error('asked for quality');
    for (const cluster of clustersFor(groups, budget, locksThatHold(groups, budget, mlp))) {
      const scores = groups.map((group) => Float64Array.from({ length: group.size }, (_, unit) => unit));
      expect(leastSalient(cluster, cluster.remove, groups, scores, groups.map(() => new Set<number>()))).toHaveLength(cluster.remove);
    }
  });

  it('refuses beforehand what would leave too little, saying how much can go', () => {
    expect(() => planWidths(config, { kind: 'ratio', ratio: 0.9 }, 'quality', { format: 'safetensors', dtype: 'F16' })).toThrow(/at most/);
  });
});
