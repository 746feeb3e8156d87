/**
 * LHSPG, the LoRA half-space projected gradient (LoRAShear, Algorithm 4): LoRA warm-up, then periods in each of which
 * the least salient units shrink to zero while LoRA training moves what they did into the units that stay.
 */
import type { LorashearSettings } from '../../../preload/contract/recipe';
import type { Executor, LayerGates } from '../execution/executor';
import { layerTensor, type ExecutableModel } from '../execution/loaded-model';
import type { LoraAdapter } from '../execution/adapter';
import { addProduct } from '../execution/merge';
import { LoraTrainer, type TrainerOptions } from '../training/trainer';
import { PlanError } from '../support/errors';
import { blendGates, openGates } from './gate-scores';
import { isLockedByUser } from './locks';
import type { PruningBudget, PruningPlan } from './plan';
import { scoreUnits } from './saliency';
import { clustersFor, leastSalient, locksThatHold } from './select';
import { shrinkUnit, type ShrinkingUnit, type ShrinkStep } from './shrink';
import type { UnitGroup } from './units';

/** Weight of the past in the moving average of gate gradients during training. */
const GATE_MEMORY = 0.95;

export interface LhspgOptions {
  readonly settings: LorashearSettings;
  readonly budget: PruningBudget;
  /** Indices of groups that should stay whole, the most sensitive first; the last give way if too little is left. */
  readonly locked: readonly number[];
  /** Scores of gates before training; updated by what training shows. */
  readonly gates: readonly LayerGates[];
  /** Measured deviations of the units of some groups, which outrank any other score of theirs; null for the others. */
  readonly measured?: readonly (ArrayLike<number> | null)[];
  readonly warmupSteps: number;
  /** Steps over all periods; 0 removes at once, without transfer. */
  readonly pruningSteps: number;
  readonly learningRate: number;
  /** How the memory at hand wants training done. */
  readonly trainer: TrainerOptions;
  readonly nextBatch: () => readonly ArrayLike<number>[];
  readonly signal: AbortSignal;
  /** Waited for once after the warm-up, with `model` and `adapter` as they are before anything is removed. */
  readonly onWarm?: () => Promise<void>;
  /** Told after each step, warm-up included. */
  readonly onStep: (step: { readonly done: number; readonly total: number; readonly loss: number }) => void;
}

/**
 * Runs Algorithm 4 on `model`, whose weights are changed in place: the redundant units' rows end at zero and the
 * important units' LoRA ends merged. Returns the plan; slicing is `slicedView`'s. Deterministic for equal inputs.
 */
export async function runLhspg(
  executor: Executor,
  model: ExecutableModel,
  adapter: LoraAdapter,
  groups: readonly UnitGroup[],
  options: LhspgOptions,
): Promise<PruningPlan> {
  const { settings, pruningSteps, warmupSteps, learningRate, signal } = options;
  const trainer = new LoraTrainer(executor, model, adapter, options.trainer);
  const gates = openGates(model);
  const total = warmupSteps + pruningSteps;
  let done = 0;
  const train = async (rate: number): Promise<void> => {
    const result = await trainer.step(options.nextBatch(), rate, { gates, signal });
    blendGates(options.gates, result.gates, (mean, gradient) => GATE_MEMORY * mean + (1 - GATE_MEMORY) * Math.abs(gradient));
    done++;
    options.onStep({ done, total, loss: result.loss });
  };

  for (let step = 0; step < warmupSteps; step++) await train((learningRate * (step + 1)) / warmupSteps);
  await options.onWarm?.();

  const locked = locksThatHold(groups, options.budget, options.locked);
  const clusters = clustersFor(groups, options.budget, locked);
  const removed = groups.map(() => new Set<number>());
  const decidedBy = groups.map((group) => new Array<number>(group.size).fill(0));
  const removedIn = groups.map((group) => new Array<number | null>(group.size).fill(null));
  const periods = Math.max(1, Math.min(settings.periods, pruningSteps));
  for (let period = 0; period < periods; period++) {
    const scores = await scoreUnits(groups, { model, adapter, gates: options.gates }, settings.criteria, {
      measured: options.measured ?? [],
      counts: (group, unit) => !locked.has(group) && removed[group]?.has(unit) !== true,
    });
    const redundant: ShrinkingUnit[] = [];
    scores.forEach((list, index) =>
      list.forEach((score, unit) => {
        const decided = decidedBy[index];
        if (decided !== undefined && removed[index]?.has(unit) !== true) decided[unit] = score;
      }),
    );
    for (const cluster of clusters) {
      const count = shareOfPeriod(cluster.remove, period, periods);
      const chosen = leastSalient(cluster, count, groups, scores, removed);
      if (chosen.length < count) {
        throw new PlanError('The unprunable groups leave too little to remove.', { hint: 'Choose a larger size.' });
      }
      for (const { group, unit } of chosen) {
        removed[group]?.add(unit);
        removedIn[group]?.fill(period, unit, unit + 1);
        const unitGroup = groups[group];
        if (unitGroup !== undefined) redundant.push({ group: unitGroup, unit });
      }
    }
    const steps = shareOfPeriod(pruningSteps, period, periods);
    for (let stepsLeft = steps; stepsLeft > 0; stepsLeft--) {
      await train(learningRate);
      await shrinkUnits(executor, model, adapter, redundant, { stepsLeft, epsilon: settings.epsilon, rule: settings.shrink });
    }
    if (steps === 0) await shrinkUnits(executor, model, adapter, redundant, { stepsLeft: 1, epsilon: 0, rule: 'halfSpace' });
    // What is gone stays gone: behind a closed gate no gradient reaches its LoRA rows, which training would else revive.
    for (const { group, unit } of redundant) gates[group.layer]?.[group.part].fill(0, unit, unit + 1);
    await mergeInPlace(executor, model, adapter);
    trainer.resetOptimiser();
  }

  return {
    groups: groups.map(({ layer, part, size }, index) => ({
      layer,
      part,
      size,
      kept: Array.from({ length: size }, (_, unit) => unit).filter((unit) => removed[index]?.has(unit) !== true),
      scores: decidedBy[index] ?? [],
      removedIn: removedIn[index] ?? [],
      locked: locked.has(index),
      lockedByUser: isLockedByUser(options.budget.locks, { layer, part }),
    })),
  };
}

/** The part of a whole that falls to one period; the remainder goes to the last. */
export function shareOfPeriod(whole: number, period: number, periods: number): number {
  const each = Math.floor(whole / periods);
  return period === periods - 1 ? whole - each * (periods - 1) : each;
}

/** Applies one step to all units, layer by layer: those of a model too large for memory are read and written once. */
async function shrinkUnits(
  executor: Executor,
  model: ExecutableModel,
  adapter: LoraAdapter,
  units: readonly ShrinkingUnit[],
  step: ShrinkStep,
): Promise<void> {
  for (const index of model.config.layers.keys()) {
    const own = units.filter(({ group }) => group.layer === index);
    if (own.length === 0) continue;
    await executor.changeLayer(model, index, (layer) => {
      for (const unit of own) shrinkUnit(layer, adapter, unit, step);
    });
  }
}

/** Folds the adapter into the weights and makes its B factors zero, so that training goes on from the same function. */
async function mergeInPlace(executor: Executor, model: ExecutableModel, adapter: LoraAdapter): Promise<void> {
  for (const [index, factors] of adapter.layers.entries()) {
    await executor.changeLayer(model, index, (layer) => {
      for (const [role, own] of factors) {
        addProduct(layerTensor(layer, role).data, own, adapter.scale);
        own.b.data.fill(0);
      }
    });
  }
}
