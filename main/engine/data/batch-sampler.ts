/**
 * Draws training batches from several sources by weight. The shares drawn follow the weights to within one block at any
 * time, and a source shows all its blocks before any comes again, so that short runs see what was asked for.
 */
import * as v from 'valibot';
import { TextError } from '../support/errors';
import { Random } from '../support/random';
import type { Block } from './packing';

/** Blocks of one source, all of the same length. */
export interface SampledSource {
  readonly name: string;
  readonly blocks: readonly Block[];
  /** True to keep the blocks' own order instead of shuffling each pass. */
  readonly inOrder?: boolean;
}

/** Ids [B, T] in rows, and the source of each row. */
export interface Batch {
  readonly ids: Int32Array;
  readonly batch: number;
  readonly length: number;
  readonly sources: readonly string[];
}

export const samplerStateSchema = v.object({
  weights: v.array(v.number()),
  credits: v.array(v.number()),
  /** Per source: which pass over its blocks, and how many of them were drawn. */
  passes: v.array(v.object({ pass: v.number(), drawn: v.number() })),
});
/** Where a sampler stands, as plain JSON. */
export type SamplerState = v.InferOutput<typeof samplerStateSchema>;

interface Pass {
  pass: number;
  drawn: number;
  order: readonly number[];
}

export class BatchSampler {
  private readonly sources: readonly SampledSource[];
  private readonly length: number;
  private readonly seed: number;
  private readonly passes: Pass[];
  private weights: number[];
  private credits: number[];

  /**
   * `weights` by source name, not negative; a missing name counts 0. Raises TextError when nothing can be drawn or
   * blocks differ in length.
   */
  constructor(sources: readonly SampledSource[], weights: Readonly<Record<string, number>>, seed: number) {
    this.sources = sources;
    this.seed = seed;
    const length = sources.find((source) => source.blocks.length > 0)?.blocks[0]?.length ?? 0;
    this.length = length;
    for (const source of sources) {
      const other = source.blocks.find((block) => block.length !== length);
      if (other !== undefined) {
        throw new TextError(`The blocks of "${source.name}" have ${other.length} tokens where others have ${length}.`, { details: { source: source.name } });
      }
    }
    this.passes = sources.map((_, index) => ({ pass: 0, drawn: 0, order: this.orderOf(index, 0) }));
    this.credits = sources.map(() => 0);
    this.weights = this.normalized(weights);
  }

  /** Changes the mix from the next batch on. Raises TextError as the constructor does. */
  setWeights(weights: Readonly<Record<string, number>>): void {
    this.weights = this.normalized(weights);
  }

  /** The next `batch` blocks. */
  next(batch: number): Batch {
    const ids = new Int32Array(batch * this.length);
    const names: string[] = [];
    for (let row = 0; row < batch; row++) {
      const index = this.chooseSource();
      ids.set(this.nextBlock(index), row * this.length);
      names.push(this.sources[index]?.name ?? '');
    }
    return { ids, batch, length: this.length, sources: names };
  }

  saveState(): SamplerState {
    return {
      weights: [...this.weights],
      credits: [...this.credits],
      passes: this.passes.map(({ pass, drawn }) => ({ pass, drawn })),
    };
  }

  /** Goes on from a saved state of a sampler with the same sources and seed. Raises TextError if they do not fit. */
  restoreState(state: SamplerState): void {
    const fits = [state.weights, state.credits, state.passes].every((list) => list.length === this.sources.length);
    if (!fits) throw new TextError(`The saved place in the texts is for ${state.passes.length} sources; this run has ${this.sources.length}.`);
    this.weights = [...state.weights];
    this.credits = [...state.credits];
    state.passes.forEach(({ pass, drawn }, index) => {
      this.passes[index] = { pass, drawn, order: this.orderOf(index, pass) };
    });
  }

  /** The source whose drawn share lags most behind its weight; the first of equals. */
  private chooseSource(): number {
    let chosen = -1;
    let most = Number.NEGATIVE_INFINITY;
    this.weights.forEach((weight, index) => {
      const credit = (this.credits[index] ?? 0) + weight;
      this.credits[index] = credit;
      if (weight > 0 && credit > most) {
        most = credit;
        chosen = index;
      }
    });
    this.credits[chosen] = (this.credits[chosen] ?? 0) - 1;
    return chosen;
  }

  private nextBlock(index: number): Block {
    const source = this.sources[index];
    const pass = this.passes[index];
    if (source === undefined || pass === undefined) throw new TextError('There is no text to draw from.');
    if (pass.drawn >= source.blocks.length) {
      pass.pass++;
      pass.drawn = 0;
      pass.order = this.orderOf(index, pass.pass);
    }
    const block = source.blocks[pass.order[pass.drawn] ?? 0];
    pass.drawn++;
    return block ?? new Int32Array(this.length);
  }

  /** The order of a pass follows from the seed, the source's place and the pass alone, so that it need not be saved. */
  private orderOf(index: number, pass: number): readonly number[] {
    const source = this.sources[index];
    const order = (source?.blocks ?? []).map((_, place) => place);
    if (source?.inOrder !== true) Random.fromSeed(this.seed + Math.imul(index + 1, 0x9e3779b1) + Math.imul(pass, 0x85ebca77)).shuffle(order);
    return order;
  }

  private normalized(weights: Readonly<Record<string, number>>): number[] {
    const found = this.sources.map((source) => (Object.hasOwn(weights, source.name) ? (weights[source.name] ?? 0) : 0));
    const total = found.reduce((sum, weight) => sum + weight, 0);
    if (!found.every((weight) => weight >= 0) || !(total > 0 && total < Number.POSITIVE_INFINITY)) {
      throw new TextError('The weights of the texts must be numbers of 0 or more, at least one of them above 0.', {
        details: { weights: found.map(String) },
      });
    }
    const empty = this.sources.filter((source, index) => (found[index] ?? 0) > 0 && source.blocks.length === 0);
    if (empty.length > 0) {
      throw new TextError(`Too short to learn from: ${empty.map((source) => `"${source.name}"`).join(', ')}.`, {
        hint: 'Use a longer text, or a smaller text length.',
        details: { sources: empty.map((source) => source.name) },
      });
    }
    return found.map((weight) => weight / total);
  }
}
