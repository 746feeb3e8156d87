/** What the user keeps whole: read from words, honoured where units are chosen, and never given up for what was measured. */
import { describe, expect, it } from 'vitest';
import { isLockedByUser, resolveLocks } from '../../../main/engine/pruning/locks';
import { clustersFor, locksThatHold } from '../../../main/engine/pruning/select';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { errorOf } from '../../support/error-of';
import { tinyConfig } from '../../support/tiny-model';

const config = tinyConfig({ layers: Array.from({ length: 4 }, () => ({ heads: 4, kvHeads: 4, ffn: 30 })) });

function read(...locks: string[]): string[] {
  const found = resolveLocks(config, locks);
  return found.flatMap((parts, layer) => [...parts].sort().map((part) => `${layer} ${part}`));
}

describe('locks', () => {
  it('name layers by number, range or place, and parts one by one or both', () => {
    expect(read('3:mlp')).toEqual(['2 mlp']);
    expect(read('1-3:attention')).toEqual(['0 attention', '1 attention', '2 attention']);
    expect(read('last:*', 'first:mlp')).toEqual(['0 mlp', '3 attention', '3 mlp']);
    expect(read('*:mlp')).toEqual(['0 mlp', '1 mlp', '2 mlp', '3 mlp']);
    expect(read()).toEqual([]);
  });

  it('of layers that the model does not have are refused, all at once, with the layers that there are', () => {
    const error = errorOf(() => read('5:mlp', '0:mlp', '1:mlp', '2-9:*', '3-1:*'));
    expect(error.code).toBe('plan');
    expect(error.message).toContain('5:mlp, 0:mlp, 2-9:*, 3-1:*');
    expect(error.message).toContain('1 to 4');
  });

  it('hold where the locks of the analysis give way', () => {
    const groups = findUnitGroups(config);
    const locks = resolveLocks(config, ['2:mlp']);
    const mlp = groups.flatMap(({ part }, index) => (part === 'mlp' ? [index] : []));
    const budget = { mode: 'quality', kvGroupsRemoved: 0, channelsRemoved: 60, locks } as const;
    // Each layer gives 24 of its 30 channels at most, so that three are needed for 60: the locked one is the fourth.
    const held = locksThatHold(groups, budget, mlp);
    expect([...held].map((index) => groups[index]?.layer)).toEqual([1]);
    expect(clustersFor(groups, budget, held)[1]?.members.map((index) => groups[index]?.layer)).toEqual([0, 2, 3]);
    expect(() => clustersFor(groups, { ...budget, channelsRemoved: 73 }, held)).toThrow(/only 72 may/);
  });

  it('are known again in a plan of equal widths, where nothing of the part goes', () => {
    const groups = findUnitGroups(config);
    const locks = resolveLocks(config, ['3:attention']);
    const held = locksThatHold(groups, { mode: 'everywhere', kvHeads: 4, ffn: 20, locks }, [0, 1, 2]);
    expect([...held].map((index) => isLockedByUser(locks, groups[index] ?? { layer: 0, part: 'mlp' }))).toEqual([true]);
  });
});
