/** Parts of layers that the person keeps whole, and what that leaves for the others to lose. */
import type { Inspection } from '../../preload/contract/model';
import type { Mode } from '../../preload/contract/recipe';

/** The two parts of a layer. */
export const PARTS = ['attention', 'mlp'] as const;
/** One part of a layer. */
export type Part = (typeof PARTS)[number];

/** What locks do to a model: shares of the linear parameters of all layers, 0 to 1. */
export interface LockEffect {
  /** Share that cannot go. */
  readonly keptShare: number;
  /** Share of all the rest that goes instead. */
  readonly restLoses: number;
}

/** The locks of one job; every change is told. */
export class LockChoice {
  readonly #changed: () => void;
  #locks = $state.raw<ReadonlySet<string>>(new Set());

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get count(): number {
    return this.#locks.size;
  }

  /** As a recipe spells them, by layer: `1:mlp`, `12:attention`. */
  get list(): readonly string[] {
    return [...this.#locks].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  /** Whether the person keeps a part whole; layers count from 0. */
  has(layer: number, part: Part): boolean {
    return this.#locks.has(lockOf(layer, part));
  }

  /** Whether a part stays whole in some layer. */
  hasAny(part: Part): boolean {
    return [...this.#locks].some((lock) => lock.endsWith(`:${part}`));
  }

  toggle(layer: number, part: Part): void {
    this.#set([{ layer, part }], !this.has(layer, part));
  }

  /** Keeps a part whole in all of a model's layers, or in none if it was in all. */
  toggleRow(part: Part, layers: number): void {
    const row = Array.from({ length: layers }, (_, layer) => ({ layer, part }));
    this.#set(row, !row.every(({ layer }) => this.has(layer, part)));
  }

  /** Keeps both parts of the first and the last layer whole. */
  lockEnds(layers: number): void {
    this.#set([...new Set([0, layers - 1])].flatMap((layer) => PARTS.map((part) => ({ layer, part }))), true);
  }

  clear(): void {
    this.#locks = new Set();
    this.#changed();
  }

  /** Whether a part of a layer stays whole: where all layers get the same widths, a lock in one of them binds all. */
  binds(layer: number, part: Part, mode: Mode): boolean {
    return mode === 'everywhere' ? this.hasAny(part) : this.has(layer, part);
  }

  /** What the locks do, given the share of all linear parameters that goes. */
  effect({ perLayer }: Pick<Inspection, 'perLayer'>, mode: Mode, removedFraction: number): LockEffect {
    const total = perLayer.reduce((sum, layer) => sum + layer.attentionParameters + layer.mlpParameters, 0);
    const kept = perLayer.reduce(
      (sum, layer, index) =>
        sum + (this.binds(index, 'attention', mode) ? layer.attentionParameters : 0) + (this.binds(index, 'mlp', mode) ? layer.mlpParameters : 0),
      0,
    );
    return { keptShare: total === 0 ? 0 : kept / total, restLoses: kept >= total ? 0 : (removedFraction * total) / (total - kept) };
  }

  #set(places: readonly { readonly layer: number; readonly part: Part }[], locked: boolean): void {
    const locks = new Set(this.#locks);
    for (const { layer, part } of places) {
      if (locked) locks.add(lockOf(layer, part));
      else locks.delete(lockOf(layer, part));
    }
    this.#locks = locks;
    this.#changed();
  }
}

/** As a recipe spells it, where layers count from 1. */
function lockOf(layer: number, part: Part): string {
  return `${layer + 1}:${part}`;
}
