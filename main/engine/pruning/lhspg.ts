/**
 * LHSPG, the LoRA half-space projected gradient (LoRAShear, Algorithm 4): LoRA warm-up, then periods in each of which
 * the least salient units shrink to zero while LoRA training moves what they did into the units that stay.
 */
import * as v from 'valibot';
import type { LorashearSettings } from '../../../preload/contract/recipe';
import type { Executor, LayerGates } from '../execution/executor';
import { layerTensor, type ExecutableModel } from '../execution/loaded-model';
import type { LoraAdapter } from '../execution/adapter';
import { addProduct } from '../execution/merge';
import { LoraTrainer, type TrainerOptions } from '../training/trainer';
import { restoreArrays, savedData, type Checkpoint, type SavedState } from '../support/checkpoint';
import { PlanError } from '../support/errors';
import { blendGates, flattenGates, openGates } from './gate-scores';
import { isLockedByUser } from './locks';
import type { PruningBudget, PruningPlan } from './plan';
import { scoreUnits } from './saliency';
import { clustersFor, leastSalient, locksThatHold, type Cluster } from './select';
import { shrinkUnit, type ShrinkingUnit, type ShrinkStep } from './shrink';
import { changeUnits, readRows, writeRows } from './unit-rows';
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
  /** Goes on from there, with a model as `mergesIn` tells, and keeps states there. */
  readonly checkpoint?: Checkpoint;
  /** Waited for before a state is kept that needs all weights as they are now: `merges` tells how often they changed. */
  readonly keepWeights?: (merges: number) => Promise<void>;
  /** Waited for once after the warm-up, with `model` and `adapter` as they are before anything is removed. */
  readonly onWarm?: () => Promise<void>;
  /** Told after each step, warm-up included. */
  readonly onStep: (step: { readonly done: number; readonly total: number; readonly loss: number }) => void;
}

/**
 * Runs Algorithm 4 on `model`, whose weights are changed in place: the redundant units' rows end at zero and the
 * important units' LoRA ends merged. Returns the plan; slicing is `slicedView`'s. Deterministic for equal inputs, and
 * the same whether it was stopped and went on from `options.checkpoint` or not.
 */
export function runLhspg(
  executor: Executor,
  model: ExecutableModel,
  adapter: LoraAdapter,
  groups: readonly UnitGroup[],
  options: LhspgOptions,
): Promise<PruningPlan> {
  return new Lhspg(executor, model, adapter, groups, options).run();
}

const courseSchema = v.object({
  done: v.number(),
  period: v.nullable(v.number()),
  stepsDone: v.number(),
  removedIn: v.array(v.array(v.nullable(v.number()))),
  trainer: v.unknown(),
});

/**
 * How often the adapter had been folded into all weights when a state was saved: the model to go on with is then the one
 * that `LhspgOptions.keepWeights` was last given; at 0, the model as it was before pruning.
 */
export function mergesIn(saved: SavedState): number {
  return savedData(saved, courseSchema).period ?? 0;
}

class Lhspg {
  private readonly trainer: LoraTrainer;
  private readonly gates: LayerGates[];
  private readonly locked: ReadonlySet<number>;
  private readonly clusters: readonly Cluster[];
  private readonly decidedBy: readonly Float64Array[];
  private removedIn: (number | null)[][];
  /** Optimiser steps so far, warm-up included. */
  private done = 0;
  /** The period at work; null while warming up. */
  private period: number | null = null;
  /** Steps of the period so far; what goes in it is chosen before its first. */
  private stepsDone = 0;
  private keptMerges = 0;

  constructor(
    private readonly executor: Executor,
    private readonly model: ExecutableModel,
    private readonly adapter: LoraAdapter,
    private readonly groups: readonly UnitGroup[],
    private readonly options: LhspgOptions,
  ) {
    this.trainer = new LoraTrainer(executor, model, adapter, options.trainer);
    this.gates = openGates(model);
    this.locked = locksThatHold(groups, options.budget, options.locked);
    this.clusters = clustersFor(groups, options.budget, this.locked);
    this.decidedBy = groups.map((group) => new Float64Array(group.size));
    this.removedIn = groups.map((group) => new Array<number | null>(group.size).fill(null));
  }

  async run(): Promise<PruningPlan> {
    const { settings, warmupSteps, pruningSteps, learningRate } = this.options;
    await this.restore();
    if (this.period === null) {
      while (this.done < warmupSteps) {
        await this.train((learningRate * (this.done + 1)) / warmupSteps);
        await this.offer();
      }
      await this.options.onWarm?.();
    }
    const periods = Math.max(1, Math.min(settings.periods, pruningSteps));
    for (let period = this.period ?? 0; period < periods; period++) {
      this.period = period;
      if (this.stepsDone === 0) await this.choose(period, periods);
      const redundant = this.unitsOf(period);
      const steps = shareOfPeriod(pruningSteps, period, periods);
      while (this.stepsDone < steps) {
        await this.train(learningRate);
        await this.shrink(redundant, { stepsLeft: steps - this.stepsDone, epsilon: settings.epsilon, rule: settings.shrink });
        this.stepsDone++;
        await this.offer();
      }
      if (steps === 0) await this.shrink(redundant, { stepsLeft: 1, epsilon: 0, rule: 'halfSpace' });
      this.closeGates(redundant);
      await mergeInPlace(this.executor, this.model, this.adapter);
      this.trainer.resetOptimiser();
      this.stepsDone = 0;
    }
    return this.plan();
  }

  private async train(rate: number): Promise<void> {
    const { nextBatch, signal, gates, onStep, warmupSteps, pruningSteps } = this.options;
    const result = await this.trainer.step(nextBatch(), rate, { gates: this.gates, signal });
    blendGates(gates, result.gates, (mean, gradient) => GATE_MEMORY * mean + (1 - GATE_MEMORY) * Math.abs(gradient));
    this.done++;
    onStep({ done: this.done, total: warmupSteps + pruningSteps, loss: result.loss });
  }

  /** Chooses what goes in a period. */
  private async choose(period: number, periods: number): Promise<void> {
    const { groups, model, adapter, locked, options } = this;
    const removed = this.removedIn.map((list) => new Set(list.flatMap((when, unit) => (when === null ? [] : [unit]))));
    const scores = await scoreUnits(groups, { model, adapter, gates: options.gates }, options.settings.criteria, {
      measured: options.measured ?? [],
      counts: (group, unit) => !locked.has(group) && removed[group]?.has(unit) !== true,
    });
    scores.forEach((list, index) =>
      list.forEach((score, unit) => {
        const decided = this.decidedBy[index];
        if (decided !== undefined && removed[index]?.has(unit) !== true) decided[unit] = score;
      }),
    );
    for (const cluster of this.clusters) {
      const count = shareOfPeriod(cluster.remove, period, periods);
      const chosen = leastSalient(cluster, count, groups, scores, removed);
      if (chosen.length < count) {
        throw new PlanError('The unprunable groups leave too little to remove.', { hint: 'Choose a larger size.' });
      }
      for (const { group, unit } of chosen) {
        removed[group]?.add(unit);
        this.removedIn[group]?.fill(period, unit, unit + 1);
      }
    }
  }

  /** The units that go in a period, by layer. */
  private unitsOf(period: number): ShrinkingUnit[] {
    return this.groups.flatMap((group, index) => {
      const list = this.removedIn[index] ?? [];
      return list.flatMap((when, unit) => (when === period ? [{ group, unit }] : []));
    });
  }

  /** What is gone stays gone: behind a closed gate no gradient reaches its LoRA rows, which training would else revive. */
  private closeGates(units: readonly ShrinkingUnit[]): void {
    for (const { group, unit } of units) this.gates[group.layer]?.[group.part].fill(0, unit, unit + 1);
  }

  /** Applies one step to all units, layer by layer: those of a model too large for memory are read and written once. */
  private async shrink(units: readonly ShrinkingUnit[], step: ShrinkStep): Promise<void> {
    await changeUnits(this.executor, this.model, units, (layer, own) => {
      for (const unit of own) shrinkUnit(layer, this.adapter, unit, step);
    });
  }

  private async offer(): Promise<void> {
    await this.options.checkpoint?.offer(async () => {
      const { done, period, stepsDone, removedIn, keptMerges } = this;
      const merges = period ?? 0;
      // All weights change with a merge and only rows that shrink until the next: so all are written once a period at most.
      if (merges > keptMerges) await this.options.keepWeights?.(merges);
      this.keptMerges = merges;
      const { data, arrays } = this.trainer.saveState();
      const rows = period === null ? [] : await readRows(this.model, this.unitsOf(period));
      return {
        data: { done, period, stepsDone, removedIn, trainer: data } satisfies v.InferOutput<typeof courseSchema>,
        arrays: { ...arrays, gateScores: flattenGates(this.options.gates), decidedBy: this.decidedBy, rows },
      };
    });
  }

  private async restore(): Promise<void> {
    const { saved = null } = this.options.checkpoint ?? {};
    if (saved === null) return;
    const { trainer, ...place } = savedData(saved, courseSchema);
    this.done = place.done;
    this.period = place.period;
    this.stepsDone = place.stepsDone;
    this.removedIn = place.removedIn;
    this.keptMerges = place.period ?? 0;
    this.trainer.restoreState({ data: trainer, arrays: saved.arrays });
    restoreArrays(saved, 'gateScores', flattenGates(this.options.gates));
    restoreArrays(saved, 'decidedBy', this.decidedBy);
    if (place.period === null) return;
    for (let before = 0; before < place.period; before++) this.closeGates(this.unitsOf(before));
    const units = this.unitsOf(place.period);
    const rows = await readRows(this.model, units);
    restoreArrays(saved, 'rows', rows);
    await writeRows(this.executor, this.model, units, rows);
  }

  private plan(): PruningPlan {
    return {
      groups: this.groups.map(({ layer, part, size }, index) => ({
        layer,
        part,
        size,
        kept: Array.from({ length: size }, (_, unit) => unit).filter((unit) => this.removedIn[index]?.[unit] === null),
        scores: Array.from(this.decidedBy[index] ?? []),
        removedIn: this.removedIn[index] ?? [],
        locked: this.locked.has(index),
        lockedByUser: isLockedByUser(this.options.budget.locks, { layer, part }),
      })),
    };
  }
}

/** The part of a whole that falls to one period; the remainder goes to the last. */
export function shareOfPeriod(whole: number, period: number, periods: number): number {
  const each = Math.floor(whole / periods);
  return period === periods - 1 ? whole - each * (periods - 1) : each;
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
