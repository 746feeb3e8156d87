/**
 * Dynamic knowledge recovery (LoRAShear, Algorithm 5): stages of sources (pre-training text, then instructions), each
 * in rounds of LoRA training on a mix that follows the measured degradation of each source, until it stops improving.
 */
import type { RecoverySettings } from '../../../preload/contract/recipe';
import type { LoraAdapter } from '../execution/adapter';
import type { Executor } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';
import { measureWindows } from '../evaluation/perplexity';
import { LoraTrainer, scheduleShare } from '../training/trainer';
import { mixShares } from './mix';

/** One kind of knowledge: what is trained on, and what its degradation is measured on. */
export interface RecoverySource {
  readonly name: string;
  readonly weight: number;
  readonly stage: 'pretraining' | 'instruction';
  /** Held-back windows of equal length. */
  readonly heldBack: readonly ArrayLike<number>[];
  /** Mean loss of the full model on `heldBack`, in nats a token. */
  readonly fullLoss: number;
}

export interface RecoveryOptions {
  readonly settings: RecoverySettings;
  readonly steps: number;
  readonly learningRate: number;
  /** Draws a batch from sources with these shares, in the order of the sources. */
  readonly nextBatch: (shares: readonly number[]) => readonly ArrayLike<number>[];
  readonly signal: AbortSignal;
  readonly onStep: (step: { readonly done: number; readonly total: number; readonly loss: number }) => void;
  readonly onRound: (round: { readonly round: number; readonly step: number; readonly shares: readonly number[]; readonly losses: readonly number[] }) => void;
}

/** Share of the steps over which the learning rate rises. */
const WARMUP_SHARE = 0.05;
/** A round whose mean loss is worse than the best by more than this, in nats, ends the stage. */
const PATIENCE = 0.02;

/** Trains `adapter` over `model` in place. Sources of weight 0 are measured but not trained on. */
export async function recover(
  executor: Executor,
  model: ExecutableModel,
  adapter: LoraAdapter,
  sources: readonly RecoverySource[],
  options: RecoveryOptions,
): Promise<void> {
  const { settings, signal } = options;
  const trainer = new LoraTrainer(executor, model, adapter);
  const rounds = planRounds(sources, options.steps, settings.rounds);

  let done = 0;
  let best = Number.POSITIVE_INFINITY;
  let stopped: string | null = null;
  for (const [round, { stage, steps }] of rounds.entries()) {
    if (steps === 0 || stage === stopped) continue;
    const losses: number[] = [];
    for (const { heldBack } of sources) {
      losses.push((await measureWindows(executor, model, heldBack, { adapter, signal })).nll);
    }
    const degradations = losses.map((loss, index) => loss - (sources[index]?.fullLoss ?? loss));
    const mean = degradations.reduce((sum, value) => sum + value, 0) / degradations.length;
    if (mean > best + PATIENCE) {
      stopped = stage;
      continue;
    }
    best = Math.min(best, mean);
    const weights = sources.map((source) => (source.stage === stage ? source.weight : 0));
    const shares = mixShares(degradations, weights, settings);
    options.onRound({ round, step: done, shares, losses });
    for (let step = 0; step < steps; step++) {
      const share = scheduleShare(done, options.steps, Math.max(1, Math.round(options.steps * WARMUP_SHARE)));
      const { loss } = await trainer.step(options.nextBatch(shares), options.learningRate * share, { signal });
      done++;
      options.onStep({ done, total: options.steps, loss });
    }
  }
}

interface Round {
  readonly stage: RecoverySource['stage'];
  readonly steps: number;
}

/** Shares the steps out over stages by their number of sources, and within a stage evenly over its rounds. */
function planRounds(sources: readonly RecoverySource[], steps: number, roundsPerStage: number): Round[] {
  const trained = sources.filter((source) => source.weight > 0);
  const instructions = trained.filter((source) => source.stage === 'instruction').length;
  const instructionSteps = Math.round((steps * instructions) / Math.max(1, trained.length));
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
