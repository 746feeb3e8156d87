/**
 * Axes as sequences of atoms. Every axis of every value starts as one atom; operators join atoms that must be cut
 * together and split those that a reshape takes apart, until each atom is one kind of thing that can be removed
 * position by position (a head, a channel) or cannot. Union-find over atoms, with splitting.
 */
import { divideDim, type Dim } from '../../graph/dims';
import type { Value } from '../../graph/graph';
import type { AxisRelations } from '../../graph/op-rule';

/** One factor of an axis. A split atom has parts; leaves are what remains. */
export class Atom {
  private parent: Atom | null = null;
  private parts: readonly Atom[] | null = null;
  /** Why positions cannot be removed, if they cannot. */
  fixed: string | null = null;
  /** Whether the positions are independent products, such as attention heads. */
  independent = false;

  constructor(readonly size: Dim) {}

  root(): Atom {
    return this.parent === null ? this : this.parent.root();
  }

  /** The leaves of this atom, slowest first. */
  leaves(): Atom[] {
    const root = this.root();
    return root.parts === null ? [root] : root.parts.flatMap((part) => part.leaves());
  }

  split(parts: readonly Atom[]): void {
    const root = this.root();
    root.parts = parts;
    for (const part of parts) {
      part.fixed ??= root.fixed;
      part.independent ||= root.independent;
    }
  }

  /** Makes two leaves of equal size one. */
  join(other: Atom): void {
    const [mine, theirs] = [this.root(), other.root()];
    if (mine === theirs) return;
    theirs.parent = mine;
    mine.fixed ??= theirs.fixed;
    mine.independent ||= theirs.independent;
  }
}

/** The axes of all values of a graph, and the relations by which operators tie them together. */
export class AxisMap implements AxisRelations {
  private readonly axes = new Map<Value, readonly Atom[]>();

  /** Leaves of one axis of a value, slowest first. */
  leavesOf(value: Value, axis: number): Atom[] {
    return this.atomsOf(value)[axis]?.leaves() ?? [];
  }

  same(left: Value, leftAxis: number, right: Value, rightAxis: number): void {
    this.align(this.leavesOf(left, leftAxis), this.leavesOf(right, rightAxis));
  }

  reshaped(from: Value, to: Value): void {
    this.align(
      from.shape.flatMap((_, axis) => this.leavesOf(from, axis)),
      to.shape.flatMap((_, axis) => this.leavesOf(to, axis)),
    );
  }

  mixed(value: Value, axis: number, why: string): void {
    for (const leaf of this.leavesOf(value, axis)) leaf.fixed ??= why;
  }

  independent(value: Value, axis: number): void {
    for (const leaf of this.leavesOf(value, axis)) leaf.independent = true;
  }

  /** The rule of operators without one of their own: results and inputs agree axis by axis, counted from the last. */
  elementwise(inputs: readonly Value[], result: Value): void {
    for (const input of inputs) {
      const lead = result.shape.length - input.shape.length;
      input.shape.forEach((dim, axis) => {
        if (dim === result.shape[axis + lead]) this.same(input, axis, result, axis + lead);
      });
    }
  }

  private atomsOf(value: Value): readonly Atom[] {
    const known = this.axes.get(value);
    if (known !== undefined) return known;
    const atoms = value.shape.map((size) => new Atom(size));
    this.axes.set(value, atoms);
    return atoms;
  }

  /** Joins two sequences of leaves that hold the same elements, splitting the larger of two that face each other. */
  private align(left: Atom[], right: Atom[]): void {
    const [a, b] = [[...left].reverse(), [...right].reverse()];
    for (;;) {
      while (a.at(-1)?.size === 1) a.pop();
      while (b.at(-1)?.size === 1) b.pop();
      const [x, y] = [a.pop(), b.pop()];
      if (x === undefined || y === undefined) return;
      if (x.root() === y.root()) continue;
      if (x.size === y.size) {
        x.join(y);
        continue;
      }
      if (this.splitOff(x, y, a) || this.splitOff(y, x, b)) continue;
      // No whole number of one fits into the other: neither can be cut without breaking the other.
      for (const leaf of [x, y, ...a, ...b]) leaf.root().fixed ??= 'a reshape mixes it with other axes';
      return;
    }
  }

  /** Splits `large` into the size of `small` and a rest, which goes back to `queue`; false if it does not divide. */
  private splitOff(large: Atom, small: Atom, queue: Atom[]): boolean {
    const rest = divideDim(large.size, small.size);
    if (rest === null || rest === 1) return false;
    const parts = [new Atom(small.size), new Atom(rest)] as const;
    large.split(parts);
    parts[0].join(small);
    queue.push(parts[1]);
    return true;
  }
}
