import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { recoverySchema } from '../../../preload/contract/recipe';
import { createAdapter } from '../../../main/engine/execution/adapter';
import { Executor } from '../../../main/engine/execution/executor';
import { loadModel } from '../../../main/engine/execution/loaded-model';
import { measureWindows } from '../../../main/engine/evaluation/perplexity';
import { LINEAR_ROLES } from '../../../main/engine/model/config';
import { recover } from '../../../main/engine/recovery/recover';
import { Random } from '../../../main/engine/support/random';
import { tinyConfig, tinyView } from '../../support/tiny-model';

const block = (step: number): Int32Array => Int32Array.from({ length: 16 }, (_, at) => 3 + ((at * step) % 40));

describe('dynamic recovery', () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
  });
  afterAll(() => executor.dispose());

  it('trains on pre-training sources first, then on instructions, by shares that sum to one, and lowers the loss', async () => {
    const model = await loadModel(tinyView(tinyConfig(), 5));
    const adapter = createAdapter(model.config, { rank: 4, alpha: 8, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
    const heldBack = { text: [block(3)], tasks: [block(5)] };
    const before = (await measureWindows(executor, model, heldBack.text, {})).nll;
    const drawn: number[][] = [];
    const steps: number[] = [];
    await recover(
      executor, model, adapter,
      [
        { name: 'text', weight: 1, stage: 'pretraining', validation: heldBack.text, fullLoss: 1 },
        { name: 'tasks', weight: 1, stage: 'instruction', validation: heldBack.tasks, fullLoss: 1 },
        { name: 'only measured', weight: 0, stage: 'pretraining', validation: heldBack.tasks, fullLoss: 1 },
      ],
      {
        settings: { ...v.parse(recoverySchema, {}), rounds: 2 },
        steps: 20,
        learningRate: 1e-2,
        trainer: {},
        nextBatch: (shares) => {
          drawn.push([...shares]);
          return (shares[0] ?? 0) > 0 ? [block(3), block(3)] : [block(5), block(5)];
        },
        signal: new AbortController().signal,
        onStep: ({ done }) => steps.push(done),
        onRound: ({ shares, losses }) => {
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
          expect(losses).toHaveLength(3);
        },
      },
    );
    expect(steps).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(drawn.slice(0, 10).every(([text, tasks]) => text === 1 && tasks === 0)).toBe(true);
    expect(drawn.slice(10).every(([text, tasks]) => text === 0 && tasks === 1)).toBe(true);
    expect((await measureWindows(executor, model, heldBack.tasks, { adapter })).nll).toBeLessThan(before);
  });

  it('hands back the best state that it measured, never one worse than it began with', async () => {
    const model = await loadModel(tinyView(tinyConfig(), 5));
    const adapter = createAdapter(model.config, { rank: 4, alpha: 8, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
    const before = (await measureWindows(executor, model, [block(3)], {})).nll;
    let steps = 0;
    await recover(executor, model, adapter, [{ name: 'text', weight: 1, stage: 'pretraining', validation: [block(3)], fullLoss: 1 }], {
      settings: v.parse(recoverySchema, {}),
      steps: 12,
      // Far too fast: every round ends worse than the start.
      learningRate: 1,
      trainer: {},
      nextBatch: () => [block(7), block(11)],
      signal: new AbortController().signal,
      onStep: () => steps++,
      onRound: () => undefined,
    });
    expect(steps).toBeLessThan(12);
    expect((await measureWindows(executor, model, [block(3)], { adapter })).nll).toBeLessThanOrEqual(before + 1e-6);
  });

  it('does nothing without steps', async () => {
    const model = await loadModel(tinyView(tinyConfig(), 5));
    const adapter = createAdapter(model.config, { rank: 2, alpha: 4, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
    let rounds = 0;
    await recover(executor, model, adapter, [{ name: 'text', weight: 1, stage: 'pretraining', validation: [block(3)], fullLoss: 1 }], {
      settings: v.parse(recoverySchema, {}),
      steps: 0,
      learningRate: 1e-2,
      trainer: {},
      nextBatch: () => [],
      signal: new AbortController().signal,
      onStep: () => undefined,
      onRound: () => rounds++,
    });
    expect(rounds).toBe(0);
  });
});
