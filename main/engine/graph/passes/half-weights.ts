/** A pass that lets a graph be given weights as float16, half the memory; it computes in float32 all the same. */
import type { Graph, Node, Value } from '../graph';
import { verifyGraph } from '../verify';

/** The graph with each input named in `weights` taken as float16 and turned into float32 before it is used. */
export function withHalfWeights(graph: Graph, weights: ReadonlySet<string>): Graph {
  const casts: Node[] = [];
  const widened = new Map<Value, Value>();
  const inputs = graph.inputs.map((input): Value => {
    if (!weights.has(input.name) || input.type !== 'float32') return input;
    const half: Value = { name: input.name, type: 'float16', shape: input.shape };
    const wide: Value = { name: `${input.name}.float32`, type: 'float32', shape: input.shape };
    widened.set(input, wide);
    casts.push({ op: 'Cast', inputs: [half], outputs: [wide], attributes: { to: 'float32' } });
    return half;
  });
  const nodes = graph.nodes.map((node): Node => ({ ...node, inputs: node.inputs.map((input) => widened.get(input) ?? input) }));
  const result: Graph = { ...graph, inputs, nodes: [...casts, ...nodes] };
  verifyGraph(result);
  return result;
}
