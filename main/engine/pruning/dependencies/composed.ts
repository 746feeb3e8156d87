/**
 * Composed operators (LoRAShear, Algorithm 2, line 3): a linear with a LoRA branch beside it acts as one operator.
 * Found in the graph by shape alone: base(x) + s * outer(inner(x)), all three of them products with parameters.
 */
import type { Graph, Node, Value } from '../../graph/graph';

/** The three products of a LoRA-wrapped linear. */
export interface ComposedOperator {
  readonly base: Node;
  readonly inner: Node;
  readonly outer: Node;
}

/** All composed operators of a graph; `isParameter` tells graph inputs that are weights from those that are data. */
export function findComposedOperators(graph: Graph, isParameter: (value: Value) => boolean): ComposedOperator[] {
  const maker = new Map<Value, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) maker.set(output, node);
  const linear = (value: Value | undefined): Node | null => {
    const node = value === undefined ? undefined : maker.get(value);
    const weight = node?.inputs[1];
    return node?.op === 'Gemm' && weight !== undefined && isParameter(weight) ? node : null;
  };
  const found: ComposedOperator[] = [];
  for (const outer of graph.nodes) {
    const weight = outer.inputs[1];
    if (outer.op !== 'Gemm' || weight === undefined || !isParameter(weight)) continue;
    const inner = linear(outer.inputs[0]);
    const base = linear(outer.inputs[2]);
    if (inner !== null && base !== null && inner.inputs[0] === base.inputs[0]) found.push({ base, inner, outer });
  }
  return found;
}
