/**
 * A pass that lets products with given matrices be computed in 8 bits: meant for the gradients that flow back through
 * frozen weights, where rounding is noise beside that of the batch (what it does to training is measured in
 * docs/results.md).
 */
import type { Graph, Node, Value } from '../graph';
import { numberAttribute } from '../op-rule';
import { verifyGraph } from '../verify';

/** Names of the inputs that stand in for a weight in an 8-bit product: its numbers [K, N] and a scale per column [N]. */
export function int8Names(weight: string): { readonly values: string; readonly scales: string } {
  return { values: `${weight}.int8`, scales: `${weight}.int8.scales` };
}

/**
 * The graph with each product X W, W [K, N] an input named in `weights`, computed in 8 bits from two inputs in W's
 * place. Products of other forms (W transposed, scaled, or with a summand) stay; so do inputs that they need.
 */
export function withInt8Products(graph: Graph, weights: ReadonlySet<string>): Graph {
  const replaced = new Map<Value, readonly [values: Value, scales: Value]>();
  const nodes = graph.nodes.map((node): Node => {
    const [left, weight] = node.inputs;
    if (left === undefined || weight === undefined || !weights.has(weight.name) || !isPlainProduct(node)) return node;
    const own = replaced.get(weight) ?? int8Inputs(weight);
    replaced.set(weight, own);
    return { op: 'Int8Product', inputs: [left, ...own], outputs: node.outputs, attributes: {} };
  });
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const inputs = [...graph.inputs.filter((input) => !replaced.has(input) || used.has(input)), ...[...replaced.values()].flat()];
  const result: Graph = { ...graph, inputs, nodes };
  verifyGraph(result);
  return result;
}

function isPlainProduct({ op, inputs, attributes }: Node): boolean {
  if (op !== 'Gemm' || inputs.length !== 2) return false;
  const [left, right, alpha] = ['transA', 'transB', 'alpha'].map((name) => numberAttribute(attributes, name));
  return left === 0 && right === 0 && alpha === 1;
}

function int8Inputs(weight: Value): readonly [Value, Value] {
  const { values, scales } = int8Names(weight.name);
  const [, columns = 1] = weight.shape;
  return [
    { name: values, type: 'int8', shape: weight.shape },
    { name: scales, type: weight.type, shape: [columns] },
  ];
}
