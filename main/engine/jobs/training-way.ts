/** How training is done on the memory at hand: the quickest way that fits, from saving everything to one sequence at a time. */
import type { Recipe } from '../../../preload/contract/recipe';
import { countLinearParameters, type ModelConfig } from '../model/config';
import { estimateTraining, totalBytes, type TrainingMemory, type TrainingShape } from './memory';

/** Tokens of all sources together on which knowledge analysis tries each node group, at most. */
export const MAX_ANALYSIS_TOKENS = 4096;

export interface TrainingWay {
  /** Blocks are computed again in the backward pass instead of their inner values being saved. */
  readonly recompute: boolean;
  /** Sequences computed at once; a batch is added up from several. */
  readonly microBatch: number;
  /** Estimated peak of the whole run done this way. */
  readonly peakBytes: number;
}

/** The quickest way whose estimated peak is within `availableBytes`, or the most frugal one if none is. */
export function chooseTrainingWay(config: ModelConfig, recipe: Recipe, availableBytes: number): TrainingWay {
  let way = wayOf(config, recipe, false, recipe.training.batch);
  for (let microBatch = recipe.training.batch; way.peakBytes > availableBytes && microBatch >= 1; microBatch = Math.floor(microBatch / 2)) {
    way = wayOf(config, recipe, true, microBatch);
  }
  return way;
}

function wayOf(config: ModelConfig, recipe: Recipe, recompute: boolean, microBatch: number): TrainingWay {
  return { recompute, microBatch, peakBytes: estimatePeakBytes(config, recipe, { recompute, batch: microBatch }) };
}

/**
 * Memory at the peak of a run, in bytes: of the stages that hold most, the largest. `way` says how it trains where
 * that is not with whole batches and saved activations.
 */
export function estimatePeakBytes(config: ModelConfig, recipe: Recipe, way: Partial<TrainingShape> = {}): number {
  const { rank, batch } = recipe.training;
  const length = Math.min(recipe.training.length, config.maxPositions);
  const train = (changes: Partial<TrainingShape>): TrainingMemory => estimateTraining(config, { rank, batch, length, ...way, ...changes });
  // Scoring takes one sequence at a time; knowledge analysis keeps what enters each layer.
  const scoring = train({ batch: 1, gates: true });
  const analyse = totalBytes(scoring) + 4 * MAX_ANALYSIS_TOKENS * config.hidden * config.layers.length;
  // The smaller model is made while the larger one is still there, as are weights with the factors merged into them.
  const copied = 4 * countLinearParameters(config);
  const prune = recipe.budgetTokens === 0 ? 0 : totalBytes(train({ gates: true })) + copied;
  const evaluate = scoring.base + 2 * scoring.weights;
  return Math.round(Math.max(analyse, prune, evaluate));
}
