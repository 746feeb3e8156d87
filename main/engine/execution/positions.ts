/** What depends on positions alone: rotary tables and the causal mask. */
import { float32, float32Data, type RuntimeTensor } from '../runtime/session';
import type { Rope } from '../model/config';

/** Added to the scores of positions that may not be seen: beyond any score, so that their share is exactly zero. */
export const HIDDEN_SCORE = -1e9;

interface RotaryTables {
  /** [P, D/2] */
  readonly cosines: RuntimeTensor;
  readonly sines: RuntimeTensor;
}

/**
 * Mask [B, 1, 1, T, T] under which a token sees only earlier tokens of its own document. A separator belongs to the
 * document that it ends.
 */
export function documentMask(sequences: readonly ArrayLike<number>[], separatorId: number): RuntimeTensor {
  const length = sequences[0]?.length ?? 0;
  const mask = new Float32Array(sequences.length * length * length).fill(HIDDEN_SCORE);
  sequences.forEach((ids, sequence) => {
    let start = 0;
    for (let row = 0; row < length; row++) {
      const offset = (sequence * length + row) * length;
      mask.fill(0, offset + start, offset + row + 1);
      if (ids[row] === separatorId) start = row + 1;
    }
  });
  return float32(mask, [sequences.length, 1, 1, length, length]);
}

/** Gives the inputs that depend on positions alone, computed once for all layers of a pass. */
export class PositionInputs {
  private readonly tables = new WeakMap<Rope, RotaryTables>();
  /** By window, the causal masks of the last shape asked for. */
  private readonly causalMasks = new Map<number, RuntimeTensor>();
  private readonly documentMasks = new WeakMap<RuntimeTensor, Map<number, RuntimeTensor>>();

  /** Cosines and sines for at least `positions` positions; made for more, so that a growing text does not remake them. */
  rotary(rope: Rope, positions: number): RotaryTables {
    const known = this.tables.get(rope);
    if (known !== undefined && (known.cosines.shape[0] ?? 0) >= positions) return known;
    const made = rotaryTables(rope, 2 ** Math.ceil(Math.log2(Math.max(positions, 64))));
    this.tables.set(rope, made);
    return made;
  }

  /** Mask [T, past + T]: 0 where a token may look, HIDDEN_SCORE where it may not. It sees `window` positions, 0 for all. */
  causal(length: number, past: number, window = 0): RuntimeTensor {
    const known = this.causalMasks.get(0) ?? causalMask(length, past, 0);
    const [rows, seen] = known.shape;
    if (rows !== length || seen !== past + length) {
      this.causalMasks.clear();
      return this.causal(length, past, window);
    }
    this.causalMasks.set(0, known);
    // A window as long as the text hides nothing.
    const width = window >= past + length ? 0 : window;
    const mask = this.causalMasks.get(width) ?? causalMask(length, past, width);
    this.causalMasks.set(width, mask);
    return mask;
  }

  /** The mask of documents with what a window hides besides; computed once for all layers of a pass. */
  withinDocuments(documents: RuntimeTensor, window: number): RuntimeTensor {
    const length = documents.shape.at(-1) ?? 0;
    if (window === 0 || window >= length) return documents;
    const known = this.documentMasks.get(documents) ?? new Map<number, RuntimeTensor>();
    this.documentMasks.set(documents, known);
    const mask = known.get(window) ?? hideBeyond(documents, length, window);
    known.set(window, mask);
    return mask;
  }
}

function hideBeyond(documents: RuntimeTensor, length: number, window: number): RuntimeTensor {
  const data = float32Data(documents, 'documents').slice();
  for (let start = 0; start < data.length; start += length) {
    const row = (start / length) % length;
    data.fill(HIDDEN_SCORE, start, start + Math.max(0, row - window + 1));
  }
  return float32(data, documents.shape);
}

function rotaryTables({ inverseFrequencies, attentionFactor }: Rope, positions: number): RotaryTables {
  const half = inverseFrequencies.length;
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let index = 0; index < half; index++) {
      const angle = position * (inverseFrequencies[index] ?? 0);
      cosines[position * half + index] = attentionFactor * Math.cos(angle);
      sines[position * half + index] = attentionFactor * Math.sin(angle);
    }
  }
  return { cosines: float32(cosines, [positions, half]), sines: float32(sines, [positions, half]) };
}

function causalMask(length: number, past: number, window: number): RuntimeTensor {
  const seen = past + length;
  const mask = new Float32Array(length * seen);
  for (let row = 0; row < length; row++) {
    if (window > 0) mask.fill(HIDDEN_SCORE, row * seen, row * seen + Math.max(0, past + row - window + 1));
    mask.fill(HIDDEN_SCORE, row * seen + past + row + 1, (row + 1) * seen);
  }
  return float32(mask, [length, seen]);
}
