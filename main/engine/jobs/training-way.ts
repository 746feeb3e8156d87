/** How work is done on the memory at hand: the quickest way that fits, from saving everything to one sequence at a time with layers read from their file. */
import * as v from 'valibot';
import type { Recipe } from '../../../preload/contract/recipe';
import { countLinearParameters, type ModelConfig } from '../model/config';
import { InternalError } from '../support/errors';
import { estimateForward, estimateTraining, totalBytes, type TrainingMemory, type TrainingShape } from './memory';

/** Tokens of all sources together on which knowledge analysis tries each node group, at most. */
export const MAX_ANALYSIS_TOKENS = 4096;

export const trainingWaySchema = v.object({
  /** Blocks are computed again in the backward pass instead of their inner values being saved. */
  recompute: v.boolean(),
  /** Sequences computed at once; a batch is added up from several. */
  microBatch: v.number(),
  /** Layers are read from their file each time instead of being kept in memory. */
  streamed: v.boolean(),
  /** Estimated peak of the whole work done this way. */
  peakBytes: v.number(),
});
export type TrainingWay = Readonly<v.InferOutput<typeof trainingWaySchema>>;

/** The quickest way of a whole run whose estimated peak is within `availableBytes`, or the most frugal one if none is. */
export function chooseTrainingWay(config: ModelConfig, recipe: Recipe, availableBytes: number): TrainingWay {
  return chooseWay(recipe.training.batch, availableBytes, ({ microBatch, ...way }) => estimatePeakBytes(config, recipe, { ...way, batch: microBatch }));
}

/** As `chooseTrainingWay`, for training steps alone. */
export function chooseStepWay(config: ModelConfig, { batch, ...shape }: Pick<TrainingShape, 'rank' | 'batch' | 'length'>, availableBytes: number): TrainingWay {
  return chooseWay(batch, availableBytes, ({ microBatch, ...way }) => totalBytes(estimateTraining(config, { ...shape, ...way, batch: microBatch })));
}

/** As `chooseTrainingWay`, for forward passes alone: nothing is saved, and so nothing computed again. */
export function chooseForwardWay(config: ModelConfig, { batch, length }: Pick<TrainingShape, 'batch' | 'length'>, availableBytes: number): TrainingWay {
  return chooseWay(batch, availableBytes, ({ microBatch, streamed }) => totalBytes(estimateForward(config, { batch: microBatch, length, streamed })));
}

/** Tries the ways from the quickest to the most frugal: save, compute again, fewer sequences at once, and all that with streamed layers. */
function chooseWay(batch: number, availableBytes: number, estimate: (way: Omit<TrainingWay, 'peakBytes'>) => number): TrainingWay {
  const sizes: number[] = [];
  for (let size = batch; size >= 1; size = Math.floor(size / 2)) sizes.push(size);
  const ways = [
    { recompute: false, microBatch: batch, streamed: false },
    ...[false, true].flatMap((streamed) => sizes.map((microBatch) => ({ recompute: true, microBatch, streamed }))),
  ];
  let chosen: TrainingWay | undefined;
  for (const way of ways) {
    chosen = { ...way, peakBytes: estimate(way) };
    if (chosen.peakBytes <= availableBytes) break;
  }
  if (chosen === undefined) throw new InternalError('A batch has no sequences.');
  return chosen;
}

/**
 * Memory at the peak of a run, in bytes: of the stages that hold most, the largest. `way` says how it trains where
 * that is not with whole batches and saved activations.
 */
export function estimatePeakBytes(config: ModelConfig, recipe: Recipe, way: Partial<TrainingShape> = {}): number {
  const { rank, batch, dropout } = recipe.training;
  const length = Math.min(recipe.training.length, config.maxPositions);
  const train = (changes: Partial<TrainingShape>): TrainingMemory => estimateTraining(config, { rank, batch, length, dropout: dropout > 0, ...way, ...changes });
  // Scoring takes one sequence at a time; knowledge analysis keeps what enters each layer.
  const scoring = train({ batch: 1, gates: true });
  const { streamed = false } = way;
  const layer = (4 * countLinearParameters(config)) / config.layers.length;
  const analyse = totalBytes(scoring) + 4 * MAX_ANALYSIS_TOKENS * config.hidden * config.layers.length + (streamed ? layer : 0);
  // The smaller model is loaded while the larger one waits to be collected; streamed, the matrices of a layer alone.
  const copied = streamed ? 2 * layer : 4 * countLinearParameters(config);
  const prune = recipe.budgetTokens === 0 ? 0 : totalBytes(train({ gates: true })) + copied;
  const recover = recipe.recovery.distillation > 0 && recipe.budgetTokens > 0 ? totalBytes(train({ taught: true })) : 0;
  const evaluate = scoring.base + 2 * scoring.weights;
  return Math.round(Math.max(analyse, prune, recover, evaluate));
}
