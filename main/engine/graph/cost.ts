/**
 * What a graph costs by the op table: arithmetic, and the memory of its inner values at the moment when most of them
 * are alive at once.
 */
import { evaluateDim, multiplyDims } from './dims';
import type { ElementType, Graph, Node, Value } from './graph';
import type { ResultType } from './op-rule';
import { opRule } from './ops/table';

/** Values of the symbols of a graph's shapes, as `bindDims` gives them. */
export type Bindings = ReadonlyMap<string, number>;

const BYTES: Readonly<Record<ElementType, number>> = { float32: 4, float64: 8, int64: 8, bool: 1 };

/** Size of a value in memory. Throws ShapeError on an unbound symbol. */
export function valueBytes(value: ResultType, bindings: Bindings): number {
  return BYTES[value.type] * evaluateDim(multiplyDims(...value.shape), bindings);
}

/** Floating-point operations of one node, a multiply-add counted as two. Throws ShapeError on an unbound symbol. */
export function nodeFlops(node: Node, bindings: Bindings): number {
  const products = opRule(node.op).cost?.(node) ?? [];
  return products.reduce<number>((sum, product) => sum + evaluateDim(product, bindings), 0);
}

/** Floating-point operations of a whole graph. Throws ShapeError on an unbound symbol. */
export function graphFlops(graph: Graph, bindings: Bindings): number {
  return graph.nodes.reduce((sum, node) => sum + nodeFlops(node, bindings), 0);
}

/** Memory that several values use one after another, or at once under two shapes. */
interface Buffer {
  readonly bytes: number;
  /** Index of the last node that reads or writes it. */
  lastUse: number;
}

/**
 * Most bytes that inner values hold at once when the nodes run in their order, each value given up after its last use.
 *
 * As in the runtime, a view costs nothing and an operator that may do so writes over an input that nobody needs any
 * more. Not counted: inputs, constants and outputs, whose memory is the caller's. Throws ShapeError on an unbound symbol.
 */
export function peakLiveBytes(graph: Graph, bindings: Bindings): number {
  const lastUses = new Map<Value, number>();
  graph.nodes.forEach((node, index) => {
    for (const value of [...node.inputs, ...node.outputs]) lastUses.set(value, index);
  });
  const outputs = new Set(graph.outputs);
  const buffers = new Map<Value, Buffer>();
  let live = 0;
  let peak = 0;
  graph.nodes.forEach((node, index) => {
    const { storage, scratch } = opRule(node.op);
    for (const output of node.outputs) {
      if (outputs.has(output)) continue;
      const bytes = valueBytes(output, bindings);
      const lastUse = lastUses.get(output) ?? index;
      const reused = storage === undefined ? undefined : reusable(node, buffers, { storage, bytes, index });
      if (reused === null) continue;
      if (reused !== undefined) {
        reused.lastUse = Math.max(reused.lastUse, lastUse);
        buffers.set(output, reused);
      } else {
        buffers.set(output, { bytes, lastUse });
        live += bytes;
      }
    }
    const temporary = (scratch?.(node) ?? []).reduce((sum, value) => sum + valueBytes(value, bindings), 0);
    peak = Math.max(peak, live + temporary);
    for (const buffer of new Set([...node.inputs, ...node.outputs].flatMap((value) => buffers.get(value) ?? []))) {
      if (buffer.lastUse === index) live -= buffer.bytes;
    }
  });
  return peak;
}

/** The buffer that a result takes over; null where it is a view of the caller's memory, undefined where it needs its own. */
function reusable(
  node: Node,
  buffers: ReadonlyMap<Value, Buffer>,
  { storage, bytes, index }: { readonly storage: 'view' | 'inPlace'; readonly bytes: number; readonly index: number },
): Buffer | null | undefined {
  const [first] = node.inputs;
  if (storage === 'view') return (first === undefined ? undefined : buffers.get(first)) ?? null;
  return node.inputs
    .flatMap((input) => buffers.get(input) ?? [])
    .find((buffer) => buffer.lastUse === index && buffer.bytes === bytes);
}
