/** Checks that a graph is well formed: run between making, differentiating, splitting and writing it. */
import { InternalError } from '../support/errors';
import type { Graph, Value } from './graph';
import { opRule } from './ops/table';

/**
 * Throws InternalError naming the first fault: a value used before it is made, made twice, or whose type or shape is
 * not what the op table says.
 */
export function verifyGraph(graph: Graph): void {
  const made = new Set<Value>();
  const names = new Set<string>();
  const define = (value: Value): void => {
    if (names.has(value.name)) throw fault(graph, `${value.name} is made twice`);
    names.add(value.name);
    made.add(value);
  };
  for (const value of graph.inputs) define(value);
  for (const { value, data } of graph.constants) {
    const count = value.shape.reduce<number>((product, dim) => product * (typeof dim === 'number' ? dim : Number.NaN), 1);
    if (count !== data.length) throw fault(graph, `${value.name} holds ${data.length} numbers for [${value.shape.join(', ')}]`);
    define(value);
  }
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (!made.has(input)) throw fault(graph, `${node.op} uses ${input.name} before it is made`);
    }
    opRule(node.op).infer(node.inputs, node.attributes).forEach((expected, index) => {
      const output = node.outputs[index];
      if (output === undefined || output.type !== expected.type || output.shape.join() !== expected.shape.join()) {
        throw fault(graph, `result ${index} of ${node.op} is not ${expected.type} [${expected.shape.join(', ')}]`);
      }
    });
    node.outputs.forEach(define);
  }
  for (const output of graph.outputs) {
    if (!made.has(output)) throw fault(graph, `the output ${output.name} is never made`);
  }
}

function fault(graph: Graph, what: string): InternalError {
  return new InternalError(`The graph ${graph.name} is malformed: ${what}.`, { details: { graph: graph.name } });
}
