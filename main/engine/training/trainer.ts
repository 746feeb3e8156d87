/** The step loop's one step, shared by pruning and recovery: gradients, clipping, AdamW, and a learning-rate schedule. */
import * as v from 'valibot';
import type { LoraAdapter } from '../execution/adapter';
import type { Executor, LayerGates } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';
import { restoreArrays, savedData, type SavedState } from '../support/checkpoint';
import { SessionError } from '../support/errors';
import { Adam, clipGradients } from './adam';
import { dropoutStateSchema } from './dropout';
import { flattenFactors, flattenGradients, LoraGradients, type GradientOptions, type GradientWay } from './lora-gradients';

/** Joint L2 norm above which gradients are scaled down, as is usual for LoRA. */
const CLIP_NORM = 1;

export interface TrainerOptions extends GradientWay {
  /** Sequences computed at once; a larger batch is added up from several. */
  readonly microBatch?: number;
}

const trainerSchema = v.object({ updates: v.number(), dropout: v.nullable(dropoutStateSchema) });

export interface StepResult {
  /** Mean loss of the predicted tokens before the update, in nats. */
  readonly loss: number;
  /** Mean gradient of each gate, where gates were given. */
  readonly gates: readonly LayerGates[];
}

export class LoraTrainer {
  private readonly gradients: LoraGradients;
  private adam: Adam;

  constructor(
    executor: Executor,
    model: ExecutableModel,
    readonly adapter: LoraAdapter,
    private readonly options: TrainerOptions = {},
  ) {
    this.gradients = new LoraGradients(executor, model, adapter, options);
    this.adam = new Adam(flattenFactors(adapter));
  }

  /** One optimiser step on a batch of sequences; returns what was computed before the update. */
  async step(sequences: readonly ArrayLike<number>[], learningRate: number, options: GradientOptions = {}): Promise<StepResult> {
    const size = this.options.microBatch ?? sequences.length;
    if (sequences.length <= size) {
      const { loss, gates, ...result } = await this.gradients.compute(sequences, options);
      this.update(flattenGradients(this.adapter, { loss, gates, ...result }), learningRate);
      return { loss, gates };
    }
    const sums = flattenFactors(this.adapter).map((values) => new Float32Array(values.length));
    const gateSums: LayerGates[] = [];
    let [loss, predicted] = [0, 0];
    for (let from = 0; from < sequences.length; from += size) {
      const part = await this.gradients.compute(sequences.slice(from, from + size), options);
      // Each part is a mean over its own tokens: weighted by their number, the parts add up to the whole batch's mean.
      flattenGradients(this.adapter, part).forEach((values, index) => {
        addScaled(sums[index], values, part.predicted);
      });
      part.gates.forEach(({ attention, mlp }, layer) => {
        gateSums[layer] ??= { attention: new Float32Array(attention.length), mlp: new Float32Array(mlp.length) };
        addScaled(gateSums[layer].attention, attention, part.predicted);
        addScaled(gateSums[layer].mlp, mlp, part.predicted);
      });
      loss += part.loss * part.predicted;
      predicted += part.predicted;
    }
    for (const values of [...sums, ...gateSums.flatMap(({ attention, mlp }) => [attention, mlp])]) {
      for (let at = 0; at < values.length; at++) values[at] = (values[at] ?? 0) / predicted;
    }
    this.update(sums, learningRate);
    return { loss: loss / predicted, gates: gateSums };
  }

  /** What the steps to come depend on: factors, the optimiser's moments, and where dropout's masks come from. */
  saveState(): SavedState {
    return {
      data: { updates: this.adam.steps, dropout: this.options.dropout?.saveState?.() ?? null },
      arrays: { factors: flattenFactors(this.adapter), moments: this.adam.moments },
    };
  }

  /** Goes on from a saved state of a trainer of the same model and options. Throws FormatError if it does not fit. */
  restoreState(state: SavedState): void {
    const { updates, dropout } = savedData(state, trainerSchema);
    restoreArrays(state, 'factors', flattenFactors(this.adapter));
    restoreArrays(state, 'moments', this.adam.moments);
    this.adam.steps = updates;
    if (dropout !== null) this.options.dropout?.restoreState?.(dropout);
  }

  /** Forgets the optimiser's moments, as after a merge. */
  resetOptimiser(): void {
    this.adam = new Adam(flattenFactors(this.adapter));
  }

  private update(gradients: readonly Float32Array[], learningRate: number): void {
    const norm = clipGradients(gradients, CLIP_NORM);
    if (!Number.isFinite(norm)) {
      throw new SessionError('The training went out of bounds: its numbers became too large.', {
        hint: `Use a lower learning rate than ${learningRate.toPrecision(2)}.`,
        details: { learningRate },
      });
    }
    this.adam.step(gradients, learningRate);
  }
}

function addScaled(target: Float32Array | undefined, values: Float32Array, scale: number): void {
  if (target === undefined) return;
  for (let at = 0; at < target.length; at++) target[at] = (target[at] ?? 0) + scale * (values[at] ?? 0);
}

/** Linear warm-up over the first steps, then a cosine from 1 down to 0 (share of the peak rate), step 0 .. total-1. */
export function scheduleShare(step: number, total: number, warmupSteps: number): number {
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, total - warmupSteps);
  return 0.5 * (1 + Math.cos(Math.PI * progress));
}
