/** Cuts a smaller graph out of a larger one: only what the wanted outputs need, with some values given from outside. */
import type { Graph, Node, Value } from './graph';
import { verifyGraph } from './verify';

/**
 * The part of `graph` that makes `outputs` when the values in `given` are fed. Inputs of the result are those of
 * `graph` and of `given` that are used. The forward and the backward pass of a block are two such parts of one graph;
 * which values are `given` to the backward pass decides what is saved and what is computed again.
 */
export function extractGraph(
  graph: Graph,
  name: string,
  outputs: readonly Value[],
  given: ReadonlySet<Value> = new Set(),
): Graph {
  const maker = new Map<Value, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) maker.set(output, node);
  const needed = new Set<Value>();
  const kept = new Set<Node>();
  const open = [...outputs];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (needed.has(value)) continue;
    needed.add(value);
    const node = given.has(value) ? undefined : maker.get(value);
    if (node === undefined) continue;
    kept.add(node);
    open.push(...node.inputs);
  }
  const extracted: Graph = {
    name,
    inputs: [...graph.inputs, ...[...given].filter((value) => !graph.inputs.includes(value))].filter((value) => needed.has(value)),
    constants: graph.constants.filter(({ value }) => needed.has(value)),
    nodes: graph.nodes.filter((node) => kept.has(node)),
    outputs,
  };
  verifyGraph(extracted);
  return extracted;
}
