/** Every long loop, stopped at each of its steps and continued by fresh objects from what was kept, ends as one that was not stopped. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { lorashearSchema, recoverySchema } from '../../../preload/contract/recipe';
import { BatchSampler, samplerStateSchema } from '../../../main/engine/data/batch-sampler';
import { createAdapter, type LoraAdapter } from '../../../main/engine/execution/adapter';
import { Executor } from '../../../main/engine/execution/executor';
import { asView, loadModel, type LoadedModel } from '../../../main/engine/execution/loaded-model';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { RunFolder } from '../../../main/engine/jobs/run-folder';
import { LINEAR_ROLES } from '../../../main/engine/model/config';
import type { ModelView } from '../../../main/engine/model/view';
import { compensate } from '../../../main/engine/pruning/compensate';
import { openGates, scoreGates } from '../../../main/engine/pruning/gate-scores';
import { mergesIn, runLhspg } from '../../../main/engine/pruning/lhspg';
import type { PruningPlan } from '../../../main/engine/pruning/plan';
import { slicedView } from '../../../main/engine/pruning/sliced-view';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { recover } from '../../../main/engine/recovery/recover';
import { keepingAlso, NO_CHECKPOINT, type Checkpoint } from '../../../main/engine/support/checkpoint';
import { Random } from '../../../main/engine/support/random';
import { LoraDropout } from '../../../main/engine/training/dropout';
import { flattenFactors } from '../../../main/engine/training/lora-gradients';
import { Killed, Stopping } from '../../support/stopping';
import { tinyConfig, tinyView } from '../../support/tiny-model';

const signal = new AbortController().signal;
const config = tinyConfig({ layers: [{ heads: 4, kvHeads: 2, ffn: 12 }, { heads: 4, kvHeads: 2, ffn: 12 }] });
const block = (row: number): Int32Array => Int32Array.from({ length: 10 }, (_, at) => (row * 7 + at * (row + 3)) % 48);
const texts = ['one', 'two'].map((name, index) => ({ name, blocks: [0, 1, 2, 3].map((row) => block(4 * index + row)) }));

let executor: Executor;
let runs: string;
beforeAll(async () => {
  executor = await Executor.create({ threads: 1 });
  runs = await mkdtemp(join(tmpdir(), 'shear-continue-'));
});
afterAll(async () => {
  await executor.dispose();
  await rm(runs, { recursive: true, force: true });
});

/** Runs `work` whole, then stopped at each step and continued; all must give the same numbers. */
async function expectSame(work: (checkpoint: Stopping | null) => Promise<unknown>, fewestSteps: number): Promise<void> {
  const expected = await work(null);
  for (let steps = 1; ; steps++) {
    const run = await RunFolder.create(runs, completeRecipe({ model: '/m', out: '/o', size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1, sources: [{ kind: 'text', path: '/t', name: 't' }] }));
    try {
      await work(await Stopping.open(run, 'prune', steps));
      expect(steps).toBeGreaterThan(fewestSteps);
      return;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    expect(await work(await Stopping.open(run, 'prune')), `stopped after step ${steps}`).toEqual(expected);
  }
}

function newAdapter(model: Pick<LoadedModel, 'config'>): LoraAdapter {
  return createAdapter(model.config, { rank: 2, alpha: 4, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
}

function withSampler(phases: Stopping | null, weights: Record<string, number>): { sampler: BatchSampler; checkpoint: Checkpoint } {
  const sampler = new BatchSampler(texts, weights, 5);
  return { sampler, checkpoint: keepingAlso(phases?.phase('one') ?? NO_CHECKPOINT, samplerStateSchema, sampler) };
}

/** Two of a sampler's blocks, in rows. */
function rows(sampler: BatchSampler): Int32Array[] {
  const { ids, length } = sampler.next(2);
  return [ids.subarray(0, length), ids.subarray(length)];
}

function weightsOf(model: LoadedModel): Float32Array[] {
  return model.layers.flatMap(({ tensors }) => [...tensors.values()].map(({ data }) => data));
}

/** The weights as a file would hold them. */
async function copyOf(model: LoadedModel): Promise<ModelView> {
  const copy = await loadModel(asView(model));
  return asView({ ...copy, layers: copy.layers.map(({ shape, tensors }) => ({ shape, tensors: new Map([...tensors].map(([role, { shape: sizes, data }]) => [role, { shape: sizes, data: data.slice() }])) })) });
}

describe('Stopped at any step and continued, the same to the last bit:', () => {
  it.each(['halfSpace', 'linearDecay'] as const)('LHSPG with its optimiser, dropout, order of texts, shrinking rows and periods (%s)', { timeout: 60_000 }, async (shrink) => {
    let kept: ModelView | null = null;
    await expectSame(async (phases) => {
      const { sampler, checkpoint } = withSampler(phases, { one: 2, two: 1 });
      const merges = checkpoint.saved === null ? 0 : mergesIn(checkpoint.saved);
      const model = await loadModel(merges > 0 && kept !== null ? await copyOf(await loadModel(kept)) : tinyView(config, 9));
      const adapter = newAdapter(model);
      const plan = await runLhspg(executor, model, adapter, findUnitGroups(config), {
        settings: { ...v.parse(lorashearSchema, {}), shrink, periods: 3 },
        budget: { mode: 'everywhere', kvHeads: 1, ffn: 7 },
        locked: [], gates: openGates(model), warmupSteps: 2, pruningSteps: 7, learningRate: 1e-2,
        trainer: { dropout: new LoraDropout(0.2, Random.fromSeed(4)) },
        nextBatch: () => rows(sampler), signal, checkpoint,
        keepWeights: async () => {
          kept = await copyOf(model);
        },
        onStep: () => undefined,
      });
      return { plan, weights: weightsOf(model), factors: flattenFactors(adapter) };
    }, 8);
  });

  it('recovery with the best state and the mix of a round, whole batches and added-up ones', async () => {
    const model = await loadModel(tinyView(config, 5));
    for (const microBatch of [2, 1]) {
      await expectSame(async (phases) => {
        const { sampler, checkpoint } = withSampler(phases, { one: 1, two: 1 });
        const adapter = newAdapter(model);
        await recover(executor, model, adapter, [
          { name: 'one', weight: 1, stage: 'pretraining', validation: [block(20)], fullLoss: 3 },
          { name: 'two', weight: 1, stage: 'instruction', validation: [block(21)], fullLoss: 3 },
        ], {
          settings: { ...v.parse(recoverySchema, {}), rounds: 2 }, steps: 8, learningRate: 3e-2,
          trainer: { microBatch, dropout: new LoraDropout(0.1, Random.fromSeed(6)) },
          nextBatch: (shares) => {
            sampler.setWeights({ one: shares[0] ?? 0, two: shares[1] ?? 0 });
            return rows(sampler);
          },
          signal, checkpoint, onStep: () => undefined, onRound: () => undefined,
        });
        return flattenFactors(adapter);
      }, 3);
    }
  });

  it('the scores of gates', async () => {
    const model = await loadModel(tinyView(config, 5));
    await expectSame(async (phases) => scoreGates(executor, model, newAdapter(model), [0, 1, 2, 3].map(block), { checkpoint: phases?.phase('one') ?? NO_CHECKPOINT }), 3);
  });

  it('the refit of a smaller model', async () => {
    const full = await loadModel(tinyView(config, 5));
    const groups = findUnitGroups(full.config);
    const plan: PruningPlan = {
      groups: groups.map(({ layer, part, size }) => ({ layer, part, size, kept: Array.from({ length: Math.ceil(size / 2) }, (_, unit) => unit), scores: [], locked: false })),
    };
    await expectSame(async (phases) => {
      const small = await loadModel(slicedView(asView(full), groups, plan));
      await compensate(executor, full, small, {
        windows: Array.from({ length: 12 }, (_, row) => block(row)), batch: 4, ridge: 0.01, threads: 1, checkpoint: phases?.phase('one') ?? NO_CHECKPOINT,
      });
      return weightsOf(small);
    }, 1);
  });
});
