/** How a batch of token sequences lies in memory for training: ids, labels, and what each prediction counts. */
import type { BatchShape } from '../execution/executor';
import { documentMask } from '../execution/positions';
import type { RuntimeTensor } from '../runtime/session';
import { ShapeError } from '../support/errors';

export interface BatchLayout {
  /** [B*T] */
  readonly ids: Int32Array;
  /** The token after each, [B*T]. */
  readonly labels: Int32Array;
  /** 1 / predicted where a token is predicted, else 0, [B*T]. */
  readonly weights: Float32Array;
  readonly shape: BatchShape;
  readonly predicted: number;
  /** Mask that keeps documents apart, where a separator was given. */
  readonly documents: RuntimeTensor | null;
}

/**
 * Lays out sequences of at least two ids each; shorter ones are filled up at their ends. With a separator, the token
 * after it begins another document and is not predicted. Throws ShapeError where nothing can be predicted.
 */
export function layOutBatch(sequences: readonly ArrayLike<number>[], separatorId?: number): BatchLayout {
  const length = Math.max(0, ...sequences.map((ids) => ids.length));
  const count = sequences.length * length;
  const [ids, labels, weights] = [new Int32Array(count), new Int32Array(count), new Float32Array(count)];
  let predicted = 0;
  sequences.forEach((sequence, row) => {
    for (let at = 0; at < sequence.length; at++) {
      const place = row * length + at;
      const id = sequence[at] ?? 0;
      ids[place] = id;
      if (at + 1 === sequence.length || id === separatorId) continue;
      labels[place] = sequence[at + 1] ?? 0;
      weights[place] = 1;
      predicted++;
    }
  });
  if (predicted === 0) throw new ShapeError('A training batch needs sequences of at least two tokens each.');
  for (let at = 0; at < count; at++) weights[at] = (weights[at] ?? 0) / predicted;
  const rows = sequences.map((_, row) => ids.subarray(row * length, (row + 1) * length));
  const documents = separatorId === undefined ? null : documentMask(rows, separatorId);
  return { ids, labels, weights, shape: { batch: sequences.length, length }, predicted, documents };
}

/** The mean loss, summed in float64. */
export function meanLosses(losses: Float32Array, weights: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < losses.length; at++) sum += (losses[at] ?? 0) * (weights[at] ?? 0);
  return sum;
}
