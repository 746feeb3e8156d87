/** Where the stream of hidden states begins and ends: what is done to embeddings on entry, and the weights of the final norm. */
import type { GlobalRole } from '../model/config';
import { UsageError } from '../support/errors';
import { globalTensor, type ExecutableModel } from './loaded-model';

/** Weights that a final norm may have. */
export const FINAL_NORM = ['finalNorm', 'finalNorm.bias'] as const satisfies readonly GlobalRole[];

/** Where tokens stand: sequences of `length` one after the other, the first token of each at position `past`. */
export interface SequencePlace {
  readonly length?: number;
  readonly past?: number;
}

/**
 * Makes embeddings [N, C] what enters the first block, in place: multiplied by sqrt(C) and with the learned vectors of
 * their positions added, where the model's design says so. Throws UsageError where the model knows fewer positions.
 */
export function enterStream(model: ExecutableModel, rows: Float32Array, { length, past = 0 }: SequencePlace): void {
  const { design, hidden, maxPositions } = model.config;
  if (design.scaledEmbedding) {
    const scale = Math.fround(Math.sqrt(hidden));
    for (let at = 0; at < rows.length; at++) rows[at] = (rows[at] ?? 0) * scale;
  }
  if (!design.learnedPositions) return;
  const count = (length ?? rows.length / hidden) * hidden;
  const table = globalTensor(model, 'positions').data.subarray(past * hidden);
  if (count > table.length) {
    throw new UsageError(`The model knows ${maxPositions} positions; a text of ${past + count / hidden} tokens does not fit.`, { hint: 'Use shorter texts.' });
  }
  for (let at = 0; at < rows.length; at++) rows[at] = (rows[at] ?? 0) + (table[at % count] ?? 0);
}
