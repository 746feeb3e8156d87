/** The step loop's one step, shared by pruning and recovery: gradients, clipping, AdamW, and a learning-rate schedule. */
import type { LoraAdapter } from '../execution/adapter';
import type { Executor, LayerGates } from '../execution/executor';
import type { LoadedModel } from '../execution/loaded-model';
import { Adam, clipGradients } from './adam';
import { flattenFactors, flattenGradients, LoraGradients, type BatchGradients } from './lora-gradients';

/** Joint L2 norm above which gradients are scaled down, as is usual for LoRA. */
const CLIP_NORM = 1;

export class LoraTrainer {
  private readonly gradients: LoraGradients;
  private adam: Adam;

  constructor(
    executor: Executor,
    model: LoadedModel,
    readonly adapter: LoraAdapter,
  ) {
    this.gradients = new LoraGradients(executor, model, adapter);
    this.adam = new Adam(flattenFactors(adapter));
  }

  /** One optimiser step on a batch of sequences of equal length; returns what was computed before the update. */
  async step(
    sequences: readonly ArrayLike<number>[],
    learningRate: number,
    options: { readonly gates?: readonly LayerGates[]; readonly signal?: AbortSignal } = {},
  ): Promise<BatchGradients> {
    const result = await this.gradients.compute(sequences, options);
    const flat = flattenGradients(this.adapter, result);
    clipGradients(flat, CLIP_NORM);
    this.adam.step(flat, learningRate);
    return result;
  }

  /** Forgets the optimiser's moments, as after a merge. */
  resetOptimiser(): void {
    this.adam = new Adam(flattenFactors(this.adapter));
  }
}

/** Linear warm-up over the first steps, then a cosine from 1 down to 0 (share of the peak rate), step 0 .. total-1. */
export function scheduleShare(step: number, total: number, warmupSteps: number): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, total - warmupSteps);
  return 0.5 * (1 + Math.cos(Math.PI * progress));
}
