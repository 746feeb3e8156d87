/**
 * Dynamic knowledge recovery (LoRAShear, Algorithm 5): stages of sources (pre-training text, then instructions), each
 * in rounds of LoRA training on a mix that follows the measured degradation of each source, until it stops improving.
 */
import * as v from 'valibot';
import type { RecoverySettings } from '../../../preload/contract/recipe';
import type { LoraAdapter } from '../execution/adapter';
import type { Executor } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';
import { measureWindows } from '../evaluation/perplexity';
import { flattenFactors } from '../training/lora-gradients';
import { LoraTrainer, scheduleShare, type TrainerOptions } from '../training/trainer';
import { NO_CHECKPOINT, restoreArrays, savedData, type Checkpoint, type SavedState } from '../support/checkpoint';
import { mixShares } from './mix';

/** One kind of knowledge: what is trained on, and what its degradation is measured on. */
export interface RecoverySource {
  readonly name: string;
  readonly weight: number;
  readonly stage: 'pretraining' | 'instruction';
  /** Windows of equal length that are not trained on, by which the mix is steered and the best state is chosen. */
  readonly validation: readonly ArrayLike<number>[];
  /** Mean loss of the full model on `validation`, in nats a token. */
  readonly fullLoss: number;
}

export interface RecoveryOptions {
  readonly settings: RecoverySettings;
  readonly steps: number;
  readonly learningRate: number;
  /** How the memory at hand wants training done; `microBatch` windows are measured at a time. */
  readonly trainer: TrainerOptions;
  /** Draws a batch from sources with these shares, in the order of the sources. */
  readonly nextBatch: (shares: readonly number[]) => readonly ArrayLike<number>[];
  readonly signal: AbortSignal;
  /** Goes on from there and keeps states there. */
  readonly checkpoint?: Checkpoint;
  readonly onStep: (step: { readonly done: number; readonly total: number; readonly loss: number }) => void;
  readonly onRound: (round: { readonly round: number; readonly step: number; readonly shares: readonly number[]; readonly losses: readonly number[] }) => void;
}

/** Share of the steps over which the learning rate rises. */
const WARMUP_SHARE = 0.05;
/** A round whose mean loss is worse than the best by more than this, in nats, ends the stage. */
const PATIENCE = 0.02;

/**
 * Trains `adapter` over `model` in place; it ends as it was after the round that measured best, at the start at worst.
 * Sources of weight 0 are measured but not trained on.
 */
export async function recover(
  executor: Executor,
  model: ExecutableModel,
  adapter: LoraAdapter,
  sources: readonly RecoverySource[],
  options: RecoveryOptions,
): Promise<void> {
  const { settings, signal } = options;
  const trainer = new LoraTrainer(executor, model, adapter, options.trainer);
  const rounds = planRounds(sources, options.steps, settings.rounds);
  const best = new BestState(adapter);
  const measure = async (): Promise<number[]> => {
    const losses: number[] = [];
    for (const { validation } of sources) {
      losses.push((await measureWindows(executor, model, validation, { adapter, ...(options.trainer.microBatch && { batch: options.trainer.microBatch }), signal })).nll);
    }
    return losses;
  };

  const { saved, offer } = options.checkpoint ?? NO_CHECKPOINT;
  const course: Course = { round: 0, step: 0, done: 0, stopped: null, shares: [] };
  if (saved !== null) {
    const { trainer: data, mean, ...before } = savedData(saved, stateSchema);
    Object.assign(course, before);
    trainer.restoreState({ data, arrays: saved.arrays });
    best.restoreState(mean, saved);
  }
  const take = (): SavedState => {
    const { data, arrays } = trainer.saveState();
    return { data: { ...course, mean: best.mean, trainer: data } satisfies v.InferOutput<typeof stateSchema>, arrays: { ...arrays, best: best.kept } };
  };
  for (const [round, { stage, steps }] of rounds.entries()) {
    if (round < course.round || stage === course.stopped) continue;
    if (round > course.round || course.step === 0) {
      const losses = await measure();
      if (best.offer(losses) > PATIENCE) {
        course.stopped = stage;
        best.restore();
        trainer.resetOptimiser();
        continue;
      }
      const degradations = losses.map((loss, index) => loss - (sources[index]?.fullLoss ?? loss));
      const weights = sources.map((source) => (source.stage === stage ? source.weight : 0));
      Object.assign(course, { round, step: 0, shares: mixShares(degradations, weights, settings) } satisfies Partial<Course>);
      options.onRound({ round, step: course.done, shares: course.shares, losses });
    }
    while (course.step < steps) {
      const share = scheduleShare(course.done, options.steps, Math.max(1, Math.round(options.steps * WARMUP_SHARE)));
      const { loss } = await trainer.step(options.nextBatch(course.shares), options.learningRate * share, { signal });
      course.done++;
      course.step++;
      options.onStep({ done: course.done, total: options.steps, loss });
      await offer(take);
    }
  }
  if (rounds.length === 0) return;
  best.offer(await measure());
  best.restore();
}

/** The adapter's factors as they were when the sources' mean loss was lowest. */
class BestState {
  /** Null before anything was measured. */
  mean: number | null = null;
  readonly kept: readonly Float32Array[];
  private readonly factors: readonly Float32Array[];

  constructor(adapter: LoraAdapter) {
    this.factors = flattenFactors(adapter);
    this.kept = this.factors.map((values) => values.slice());
  }

  /** Keeps the present state if it is the best so far; returns by how much its mean loss is above the best. */
  offer(losses: readonly number[]): number {
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const above = mean - (this.mean ?? Number.POSITIVE_INFINITY);
    if (this.mean === null || mean < this.mean) {
      this.mean = mean;
      this.factors.forEach((values, index) => this.kept[index]?.set(values));
    }
    return above;
  }

  restoreState(mean: number | null, saved: SavedState): void {
    this.mean = mean;
    restoreArrays(saved, 'best', this.kept);
  }

  restore(): void {
    this.factors.forEach((values, index) => {
      values.set(this.kept[index] ?? []);
    });
  }
}

const stateSchema = v.object({
  round: v.number(),
  /** Steps of the round so far. */
  step: v.number(),
  /** Steps of all rounds so far. */
  done: v.number(),
  /** The stage that ended before its last round, if one did. */
  stopped: v.nullable(v.string()),
  /** The mix of the round. */
  shares: v.array(v.number()),
  /** The best mean loss measured. */
  mean: v.nullable(v.number()),
  trainer: v.unknown(),
});
/** Where recovery stands. */
type Course = Omit<v.InferOutput<typeof stateSchema>, 'mean' | 'trainer'>;

interface Round {
  readonly stage: RecoverySource['stage'];
  readonly steps: number;
}

/** Shares the steps out over stages by the weight of their sources, and within a stage evenly over its rounds. */
function planRounds(sources: readonly RecoverySource[], steps: number, roundsPerStage: number): Round[] {
  const weightOf = (stage: Round['stage']): number => sources.reduce((sum, source) => (source.stage === stage ? sum + source.weight : sum), 0);
  const [text, instructions] = [weightOf('pretraining'), weightOf('instruction')];
  const instructionSteps = text + instructions === 0 ? 0 : Math.round((steps * instructions) / (text + instructions));
  const stages = [
    { stage: 'pretraining', steps: steps - instructionSteps },
    { stage: 'instruction', steps: instructionSteps },
  ] as const;
  return stages.flatMap(({ stage, steps: own }) => {
    const rounds = Math.min(roundsPerStage, own);
    return Array.from({ length: rounds }, (_, round) => ({
      stage,
      steps: Math.floor((own * (round + 1)) / rounds) - Math.floor((own * round) / rounds),
    }));
  });
}
