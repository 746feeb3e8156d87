/**
 * What a graph costs by the op table: arithmetic, and the memory of its inner values at the moment when most of them
 * are alive at once.
 */
import { evaluateDim, multiplyDims } from './dims';
import type { ElementType, Graph, Node, Value } from './graph';
import type { ResultType } from './op-rule';
import { opRule } from './ops/table';
import { executionOrder } from './order';

/** Values of the symbols of a graph's shapes, as `bindDims` gives them. */
export type Bindings = ReadonlyMap<string, number>;

const BYTES: Readonly<Record<ElementType, number>> = { float32: 4, float64: 8, float16: 2, int64: 8, int8: 1, bool: 1 };

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

/** Memory of a value and of all views of it. */
interface Buffer {
  readonly bytes: number;
  /** Index of the last node that reads or writes it. */
  lastUse: number;
}

/**
 * Most bytes that inner values hold at once when the runtime executes the graph in its order, each value given up
 * after its last use. A view costs nothing. Measured: the runtime writes no result over an input that ends there.
 *
 * Not counted: inputs, constants and outputs, whose memory is the caller's. Throws ShapeError on an unbound symbol.
 */
export function peakLiveBytes(graph: Graph, bindings: Bindings): number {
  const nodes = executionOrder(graph);
  const lastUses = new Map<Value, number>();
  nodes.forEach((node, index) => {
    for (const value of [...node.inputs, ...node.outputs]) lastUses.set(value, index);
  });
  const outputs = new Set(graph.outputs);
  const buffers = new Map<Value, Buffer>();
  let live = 0;
  let peak = 0;
  nodes.forEach((node, index) => {
    const { isView = false, scratch } = opRule(node.op);
    for (const output of node.outputs) {
      if (outputs.has(output)) continue;
      const lastUse = lastUses.get(output) ?? index;
      if (isView) {
        // A view of an input or an output of the graph is memory of the caller.
        const seen = node.inputs[0] === undefined ? undefined : buffers.get(node.inputs[0]);
        if (seen === undefined) continue;
        seen.lastUse = Math.max(seen.lastUse, lastUse);
        buffers.set(output, seen);
      } else {
        const bytes = valueBytes(output, bindings);
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
