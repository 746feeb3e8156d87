/**
 * How a written model is judged: its logits must be those of the model it was written from, up to what storing weights
 * in fewer bits explains. The explanation is computed, not guessed: the same rounding is done in memory and measured.
 */
import { decodePlain, type WrittenType } from '../tensors/elements';
import { encodeInRange, noCounts } from '../tensors/range';
import type { Tensor32 } from '../tensors/handle';
import type { ModelView } from '../model/view';

/**
 * A re-opened file and the rounded weights in memory are the same numbers, so their logits agree up to the order of
 * float32 sums: far below this, whatever the model. A wrong row order, width or name is far above it.
 */
export const ROUNDING_NOISE = 1e-3;

/** How two sets of logits differ. */
export interface LogitComparison {
  /** Largest absolute difference; NaN where either side is not finite. */
  readonly maxDifference: number;
  /** Largest minus smallest logit of the first side, for scale. */
  readonly range: number;
}

/** Compares logits of equal length, element by element. */
export function compareLogits(expected: Float32Array, found: Float32Array): LogitComparison {
  if (expected.length !== found.length) return { maxDifference: Number.NaN, range: 0 };
  let maxDifference = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < expected.length; index++) {
    const value = expected[index] as number;
    const difference = Math.abs(value - (found[index] as number));
    if (!(difference <= maxDifference)) {
      if (!Number.isFinite(difference)) return { maxDifference: Number.NaN, range: 0 };
      maxDifference = difference;
    }
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return { maxDifference, range: most - least };
}

/** Whether every logit is an ordinary number. */
export function areFinite(logits: Float32Array): boolean {
  for (const value of logits) if (!Number.isFinite(value)) return false;
  return true;
}

/** A view whose weights have gone through the element type of a file; `vectors` is the type of norms and biases. */
export function roundedView(view: ModelView, matrices: WrittenType, vectors: WrittenType): ModelView {
  const rounded = async (tensor: Promise<Tensor32>): Promise<Tensor32> => {
    const { shape, data } = await tensor;
    return { shape, data: roundTo(shape.length > 1 ? matrices : vectors, data) };
  };
  return {
    config: view.config,
    readGlobal: (role) => rounded(view.readGlobal(role)),
    readLayer: (layer, role) => rounded(view.readLayer(layer, role)),
  };
}

function roundTo(type: WrittenType, values: Float32Array): Float32Array {
  if (type === 'F32') return values;
  const result = new Float32Array(values.length);
  decodePlain(type, encodeInRange(type, values, noCounts()), result, 0);
  return result;
}
