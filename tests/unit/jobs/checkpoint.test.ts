/** Checkpoint files: what is kept comes back bit for bit, at the interval that was set, and damage is seen. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { CHECKPOINT_VARIABLE, checkpointIntervalMs, removeCheckpoint, StageCheckpoint } from '../../../main/engine/jobs/checkpoint';
import { decisionsOf } from '../../../main/engine/jobs/decisions';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { RunFolder } from '../../../main/engine/jobs/run-folder';

let runs: string;
let folder: RunFolder;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'shear-checkpoint-'));
  folder = await RunFolder.create(runs, completeRecipe({ model: '/m', out: '/o', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1, sources: [{ kind: 'text', path: '/t', name: 't' }] }));
});
afterEach(async () => {
  await rm(runs, { recursive: true, force: true });
});

const state = {
  data: { step: 7, list: [null, 0.1, 1e-300] },
  arrays: { small: [Float32Array.of(1, -0, Number.NaN, 1e-45), new Float32Array(0)], large: [Float64Array.of(0.1, Number.POSITIVE_INFINITY)] },
};

describe('A checkpoint', () => {
  it('gives back data and arrays to the last bit, to the phase that kept them', async () => {
    const kept = await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 });
    expect(kept.savedPhase).toBeNull();
    await kept.phase('one').offer(() => state);
    const again = await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 });
    expect(again.savedPhase).toBe('one');
    expect(again.phase('one').saved).toEqual({ ...state, phase: 'one' });
    expect(Object.is(again.phase('one').saved?.arrays['small']?.[0]?.[1], -0)).toBe(true);
    expect(again.phase('two').saved).toBeNull();
    expect((await StageCheckpoint.open(folder, 'recover', { intervalMs: 0 })).savedPhase).toBeNull();
    await removeCheckpoint(folder, 'prune');
    expect((await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 })).savedPhase).toBeNull();
  });

  it('is taken when the interval has passed and not before, by a clock that nobody can set back', async () => {
    let now = 5000;
    let taken = 0;
    const { offer } = (await StageCheckpoint.open(folder, 'prune', { intervalMs: 1000, nowMs: () => now })).phase('one');
    const take = (): typeof state => {
      taken++;
      return state;
    };
    for (const [passed, expected] of [[999, 0], [1, 1], [1, 1], [998, 1], [1, 2], [5000, 3]] as const) {
      now += passed;
      await offer(take);
      expect(taken).toBe(expected);
    }
  });

  it('is every two minutes unless the environment says otherwise', () => {
    expect(checkpointIntervalMs({})).toBe(120_000);
    expect(checkpointIntervalMs({ [CHECKPOINT_VARIABLE]: '0.5' })).toBe(500);
    expect(() => checkpointIntervalMs({ [CHECKPOINT_VARIABLE]: 'soon' })).toThrow('number of seconds');
  });

  it('that is damaged anywhere, or cut short, is not gone on with', async () => {
    await (await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 })).keep('one', state);
    const file = folder.path('prune.checkpoint');
    const whole = await readFile(file);
    for (let at = 0; at < whole.length; at += 3) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x11;
      await writeFile(file, damaged);
      expect(await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 })).toMatchObject({ wasDamaged: true, savedPhase: null });
      await writeFile(file, whole.subarray(0, at));
      expect((await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 })).wasDamaged).toBe(true);
    }
  });

  it('keeps the one before until it is whole, and a half-written one goes when the run is continued', async () => {
    const kept = await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 });
    await kept.keep('one', state);
    await writeFile(folder.path('.prune.checkpoint.0011.partial'), 'half');
    expect((await StageCheckpoint.open(folder, 'prune', { intervalMs: 0 })).phase('one').saved).toEqual({ ...state, phase: 'one' });
    await folder.mend();
    expect((await readdir(folder.folder)).filter((name) => name.includes('partial'))).toEqual([]);
  });
});

describe('What a run decides by measuring', () => {
  it('is decided once for each stage and stays', async () => {
    const decide = (value: boolean) => () => Promise.resolve(value);
    expect(await decisionsOf(folder, 'recover')('8 bits', v.boolean(), decide(true))).toBe(true);
    expect(await decisionsOf(folder, 'recover')('8 bits', v.boolean(), decide(false))).toBe(true);
    expect(await decisionsOf(folder, 'prune')('8 bits', v.boolean(), decide(false))).toBe(false);
  });
});
