/** Keys and values of the positions of one text, in memory with room for more, so that a new token moves none of them. */
import type { ModelConfig } from '../model/config';
import { float32, type RuntimeTensor } from '../runtime/session';
import { HIDDEN_SCORE } from './positions';

/** Positions by which the room grows. What is unused costs attention as much as what is used. */
const ROOM = 64;

/** Of one layer, [1, K, T, D]. */
export interface KeysAndValues {
  readonly keys: RuntimeTensor;
  readonly values: RuntimeTensor;
}

/** As many heads as one layer has, each with `room` positions of D numbers. */
interface LayerMemory {
  readonly heads: number;
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

export class KeyValueCache {
  private room = ROOM;
  private used = 0;
  private layers: readonly LayerMemory[];

  /** An empty cache for the layers of a model. */
  constructor(private readonly config: ModelConfig) {
    this.layers = config.layers.map(({ kvHeads }) => this.memory(kvHeads));
  }

  /** Positions in the cache. */
  get positions(): number {
    return this.used;
  }

  /** A layer's memory, T being the room: positions that are not in use must be hidden, as `mask` does. */
  layer(index: number): KeysAndValues {
    const { heads, keys, values } = this.layers[index] ?? this.memory(0);
    const shape = [1, heads, this.room, this.config.headDim];
    return { keys: float32(keys, shape), values: float32(values, shape) };
  }

  /** Mask [length, room + length] of new tokens, which see what is in the cache and the new ones up to themselves, `window` positions of them, 0 for all. */
  mask(length: number, window = 0): RuntimeTensor {
    const seen = this.room + length;
    const mask = new Float32Array(length * seen);
    for (let row = 0; row < length; row++) {
      mask.fill(HIDDEN_SCORE, row * seen + this.used, row * seen + this.room);
      mask.fill(HIDDEN_SCORE, row * seen + this.room + row + 1, (row + 1) * seen);
      if (window === 0) continue;
      mask.fill(HIDDEN_SCORE, row * seen, row * seen + Math.min(this.used, Math.max(0, this.used + row - window + 1)));
      mask.fill(HIDDEN_SCORE, row * seen + this.room, row * seen + this.room + Math.max(0, row - window + 1));
    }
    return float32(mask, [length, seen]);
  }

  /** Takes the keys and values [K * length * D] of new tokens of every layer. */
  append(length: number, added: readonly { readonly keys: Float32Array; readonly values: Float32Array }[]): void {
    if (this.used + length > this.room) this.grow(this.used + length);
    this.layers.forEach(({ heads, keys, values }, index) => {
      const from = added[index];
      if (from === undefined) return;
      this.copy(from.keys, length, { into: keys, room: this.room, at: this.used, positions: length, heads });
      this.copy(from.values, length, { into: values, room: this.room, at: this.used, positions: length, heads });
    });
    this.used += length;
  }

  /** Everything into memory with room for `positions`. */
  private grow(positions: number): void {
    const before = this.room;
    this.room = Math.ceil(positions / ROOM) * ROOM;
    this.layers = this.layers.map(({ heads, keys, values }) => {
      const larger = this.memory(heads);
      this.copy(keys, before, { into: larger.keys, room: this.room, at: 0, positions: this.used, heads });
      this.copy(values, before, { into: larger.values, room: this.room, at: 0, positions: this.used, heads });
      return larger;
    });
  }

  /** The first positions of each head, from memory that has room for `fromRoom`. */
  private copy(
    from: Float32Array,
    fromRoom: number,
    { into, room, at, positions, heads }: { into: Float32Array; room: number; at: number; positions: number; heads: number },
  ): void {
    const { headDim } = this.config;
    for (let head = 0; head < heads; head++) {
      const start = head * fromRoom * headDim;
      into.set(from.subarray(start, start + positions * headDim), (head * room + at) * headDim);
    }
  }

  private memory(heads: number): LayerMemory {
    const size = heads * this.room * this.config.headDim;
    return { heads, keys: new Float32Array(size), values: new Float32Array(size) };
  }
}
