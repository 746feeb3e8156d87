/** The order in which graphs are written, and the one in which the runtime then works. */
import { describe, expect, it } from 'vitest';
import { trainingGraphs } from '../../../main/engine/execution/graphs';
import { GraphBuilder } from '../../../main/engine/graph/builder';
import type { Graph, Node } from '../../../main/engine/graph/graph';
import { executionOrder, writingOrder } from '../../../main/engine/graph/order';
import { blockForm } from '../../../main/engine/execution/block-form';
import { LINEAR_ROLES } from '../../../main/engine/model/config';
import { LLAMA_BLOCK } from '../../../main/engine/model/design';

const { backward } = trainingGraphs({
  form: blockForm({ design: LLAMA_BLOCK, headDim: 8 }), headDim: 8, headsPerGroup: 2, rmsEpsilon: 1e-5, biases: new Set(), lora: { scale: 1, targets: LINEAR_ROLES, dropout: false }, length: null, documents: false, gates: true,
});

function isTopological(graph: Graph, nodes: readonly Node[]): boolean {
  const made = new Set([...graph.inputs, ...graph.constants.map(({ value }) => value)]);
  return nodes.every((node) => {
    const ready = node.inputs.every((input) => made.has(input));
    node.outputs.forEach((output) => made.add(output));
    return ready;
  });
}

describe('the order of nodes', () => {
  it('keeps every node once, after those that it needs, as written and as executed', () => {
    for (const order of [writingOrder(backward), executionOrder(backward)]) {
      expect(new Set(order)).toEqual(new Set(backward.nodes));
      expect(order.length).toBe(backward.nodes.length);
      expect(isTopological(backward, order)).toBe(true);
    }
  });

  it('writes branches so that the runtime, which starts from the last written, executes them as they were appended', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N']);
    const [first, second] = [builder.exp(x), builder.negate(x)];
    const graph = builder.build('g', [builder.sqrt(first), builder.sqrt(second)]);
    expect(writingOrder(graph).map(({ op }) => op)).toEqual(['Neg', 'Sqrt', 'Exp', 'Sqrt']);
    expect(executionOrder(graph).map(({ outputs }) => outputs[0]?.name)).toEqual(['exp_1', 'sqrt_3', 'neg_2', 'sqrt_4']);
  });

  it('does not put off all gradients of factors to the end', () => {
    const order = executionOrder(backward).flatMap(({ outputs }) => outputs);
    const places = backward.outputs.map((output) => order.indexOf(output) / order.length).sort((a, b) => a - b);
    // Those of the feed-forward layer, before attention's backward pass begins.
    expect(places.filter((place) => place < 0.7).length).toBeGreaterThanOrEqual(4);
  });
});
