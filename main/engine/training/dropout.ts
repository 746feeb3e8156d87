/**
 * Dropout for LoRA (Srivastava et al., JMLR 15, 2014; PEFT's `lora_dropout`): of what enters the factors, and them
 * alone, each number is set to zero with a probability p, and the others are multiplied by 1 / (1 - p). Masks are
 * windows into one pool of random multipliers, which makes them nearly free.
 */
import * as v from 'valibot';
import { INPUT_OF, type LinearInput } from '../execution/block-graph';
import { linearRoles, linearShape, type ModelConfig } from '../model/config';
import { float32, type RuntimeTensor } from '../runtime/session';
import type { Stateful } from '../support/checkpoint';
import type { Random } from '../support/random';

/** One layer's masks, [N, width] each. Valid until the next are drawn. */
export type LayerDropout = ReadonlyMap<LinearInput, RuntimeTensor>;

export const dropoutStateSchema = v.object({
  poolLength: v.number(),
  passesLeft: v.number(),
  /** The generator before the pool was filled, from which it can be filled again, and now. */
  beforePool: v.array(v.number()),
  now: v.array(v.number()),
});
/** Where a source of masks stands. */
export type DropoutState = v.InferOutput<typeof dropoutStateSchema>;

/** Gives the masks of one pass over `rows` tokens (padding included), for each layer. Those that always give the same have no state. */
export interface DropoutSource extends Partial<Stateful<DropoutState>> {
  draw(config: ModelConfig, rows: number): readonly LayerDropout[];
}

/** Passes that share a pool, at windows drawn anew. Making one for SmolLM2-135M at 4 x 256 tokens takes 0.1 s, a pass 7. */
const PASSES_PER_POOL = 8;
/** Numbers at which a window may start, at most: bounds the pool to the largest mask and 16 MB. */
const MOST_STARTS = 2 ** 22;

export class LoraDropout implements DropoutSource {
  private pool = new Float32Array(0);
  private passesLeft = 0;
  private beforePool: number[] = [];

  /** `probability` in [0, 1) of a number to be dropped. Equal seeds and shapes give equal masks. */
  constructor(
    private readonly probability: number,
    private readonly random: Random,
  ) {}

  draw(config: ModelConfig, rows: number): LayerDropout[] {
    const shapes = config.layers.map((layer) => new Map(linearRoles(config).map((role) => [INPUT_OF[role], [rows, linearShape(config, layer, role)[1]]])));
    const size = dropoutPoolLength(config, rows);
    if (this.passesLeft === 0 || this.pool.length < size) this.refill(size);
    this.passesLeft--;
    return shapes.map((layer) => new Map([...layer].map(([input, shape]) => [input, this.window(shape)])));
  }

  saveState(): DropoutState {
    return { poolLength: this.pool.length, passesLeft: this.passesLeft, beforePool: this.beforePool, now: this.random.saveState() };
  }

  restoreState({ poolLength, passesLeft, beforePool, now }: DropoutState): void {
    this.random.restoreState(beforePool);
    this.refill(poolLength);
    this.passesLeft = passesLeft;
    this.random.restoreState(now);
  }

  private window(shape: readonly number[]): RuntimeTensor {
    const count = countOf(shape);
    const start = this.random.nextInteger(this.pool.length - count + 1);
    return float32(this.pool.subarray(start, start + count), shape);
  }

  private refill(size: number): void {
    if (this.pool.length < size) this.pool = new Float32Array(size);
    this.beforePool = this.random.saveState();
    const limit = this.probability * 2 ** 32;
    const kept = 1 / (1 - this.probability);
    for (let at = 0; at < this.pool.length; at++) this.pool[at] = this.random.nextUint32() < limit ? 0 : kept;
    this.passesLeft = PASSES_PER_POOL;
  }
}

/** Numbers in the pool for passes over `rows` tokens: the largest mask, and as many starts again up to a limit. */
export function dropoutPoolLength(config: ModelConfig, rows: number): number {
  const widest = Math.max(0, ...config.layers.flatMap((layer) => linearRoles(config).map((role) => linearShape(config, layer, role)[1])));
  return rows * widest + Math.min(rows * widest, MOST_STARTS);
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
