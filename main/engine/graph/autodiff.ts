/**
 * Reverse-mode differentiation (Griewank and Walther, Evaluating Derivatives, ch. 3) of graphs: appends, to the
 * builder that made a graph, the nodes that compute gradients, by the op table's rules alone.
 */
import { InternalError } from '../support/errors';
import type { GraphBuilder } from './builder';
import type { Graph, Value } from './graph';
import { opRule } from './ops/table';

/**
 * Gradients of sum(seed * output) with respect to `targets`, as new values of `builder`.
 *
 * `graph` must be what `builder` has built so far, `seeds` maps outputs to values of their shape (the gradient that
 * comes from above). Throws InternalError if a target has no influence on the outputs, or where an operator without
 * a derivative stands between.
 */
export function differentiate(
  builder: GraphBuilder,
  graph: Graph,
  seeds: ReadonlyMap<Value, Value>,
  targets: readonly Value[],
): Map<Value, Value> {
  const influenced = reachableFrom(graph, new Set(targets));
  const gradients = new Map<Value, Value>(seeds);
  const accumulate = (value: Value, gradient: Value): void => {
    const sum = gradients.get(value);
    gradients.set(value, sum === undefined ? gradient : builder.add(sum, gradient));
  };
  for (const node of [...graph.nodes].reverse()) {
    const [output] = node.outputs;
    const outputGradient = output === undefined ? undefined : gradients.get(output);
    if (outputGradient === undefined || !node.inputs.some((input) => influenced.has(input))) continue;
    const rule = opRule(node.op);
    if (rule.gradient === undefined) {
      throw new InternalError(`No gradient flows through ${node.op}, but one is needed.`, { details: { op: node.op } });
    }
    const wants = (index: number): boolean => {
      const input = node.inputs[index];
      return input !== undefined && influenced.has(input);
    };
    rule.gradient({ builder, node, outputGradient, wants }).forEach((gradient, index) => {
      const input = node.inputs[index];
      if (gradient !== null && input !== undefined && wants(index)) accumulate(input, gradient);
    });
  }
  const result = new Map<Value, Value>();
  for (const target of targets) {
    const gradient = gradients.get(target);
    if (gradient === undefined) throw new InternalError(`${target.name} has no influence on the outputs of ${graph.name}.`);
    result.set(target, gradient);
  }
  return result;
}

/** The values that depend on any of the starting ones, these included. */
function reachableFrom(graph: Graph, start: ReadonlySet<Value>): Set<Value> {
  const reached = new Set(start);
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => reached.has(input))) node.outputs.forEach((output) => reached.add(output));
  }
  return reached;
}
