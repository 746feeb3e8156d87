/**
 * How a written model is judged: its logits must be those of the model it was written from, up to what storing weights
 * in fewer bits explains. The explanation is computed, not guessed: the same rounding is done in memory and measured.
 */
import { GGUF_LAYOUTS, encodeBlocks, type GgufWrittenType } from '../formats/gguf/blocks';
import type { GlobalRole, LayerRole } from '../model/config';
import type { WrittenType } from '../tensors/elements';
import { noCounts } from '../tensors/range';
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

/** The share of rows of `[T, V]` logits whose largest element is the same on both sides: tokens that greedy writing keeps. */
export function sameChoices(expected: Float32Array, found: Float32Array, vocabulary: number): number {
  const rows = expected.length / vocabulary;
  let same = 0;
  for (let row = 0; row < rows; row++) {
    const at = row * vocabulary;
    if (largestOf(expected, at, vocabulary) === largestOf(found, at, vocabulary)) same++;
  }
  return same / rows;
}

function largestOf(values: Float32Array, at: number, count: number): number {
  let largest = at;
  for (let index = at + 1; index < at + count; index++) if ((values[index] as number) > (values[largest] as number)) largest = index;
  return largest - at;
}

/** Whether every logit is an ordinary number. */
export function areFinite(logits: Float32Array): boolean {
  for (const value of logits) if (!Number.isFinite(value)) return false;
  return true;
}

/** The element type of each weight of a file. */
export interface WeightTypes {
  global(role: GlobalRole): GgufWrittenType;
  layer(layer: number, role: LayerRole): GgufWrittenType;
  /** Whether scales of norms are stored less 1, and so rounded. */
  readonly scalesLessOne: boolean;
}

/** One type for all matrices, one for norms and biases. */
export function plainTypes(matrices: WrittenType, vectors: WrittenType, scalesLessOne = false): WeightTypes {
  const isVector = (role: GlobalRole | LayerRole): boolean => role.endsWith('Norm') || role.endsWith('.bias');
  return {
    scalesLessOne,
    global: (role) => (isVector(role) ? vectors : matrices),
    layer: (_, role) => (isVector(role) ? vectors : matrices),
  };
}

/**
 * A view whose weights have gone through the element types of a file. Blocks lie within rows, so the order of a file's
 * rows makes no difference.
 */
export function roundedView(view: ModelView, types: WeightTypes): ModelView {
  const rounded = async (tensor: Promise<Tensor32>, role: GlobalRole | LayerRole, type: GgufWrittenType): Promise<Tensor32> => {
    const { shape, data } = await tensor;
    if (!types.scalesLessOne || !role.endsWith('Norm')) return { shape, data: roundTo(type, data) };
    return { shape, data: roundTo(type, data.map((value) => value - 1)).map((value) => value + 1) };
  };
  return {
    config: view.config,
    readGlobal: (role) => rounded(view.readGlobal(role), role, types.global(role)),
    readLayer: (layer, role) => rounded(view.readLayer(layer, role), role, types.layer(layer, role)),
  };
}

function roundTo(type: GgufWrittenType, values: Float32Array): Float32Array {
  if (type === 'F32') return values;
  const result = new Float32Array(values.length);
  GGUF_LAYOUTS[type]?.decode(encodeBlocks(type, values, noCounts()), result, 0);
  return result;
}
