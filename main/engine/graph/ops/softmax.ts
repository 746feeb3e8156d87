/** Softmax over the last axis. */
import { int, namesOf, perElement, type OpRule } from '../op-rule';
import { inputAt } from '../shapes';

export const softmaxRule: OpRule = {
  op: 'Softmax',
  infer(inputs) {
    const input = inputAt('Softmax', inputs, 0);
    return [{ type: input.type, shape: input.shape }];
  },
  /** dX = P (dP - sum(dP P)). */
  gradient({ builder, node, outputGradient }) {
    const result = inputAt('Softmax', node.outputs, 0);
    const weighted = builder.multiply(outputGradient, result);
    const sum = builder.reduceSum(weighted, [result.shape.length - 1]);
    return [builder.subtract(weighted, builder.multiply(result, sum))];
  },
  relate(node, relations) {
    const input = inputAt('Softmax', node.inputs, 0);
    const result = inputAt('Softmax', node.outputs, 0);
    input.shape.forEach((_, axis) => relations.same(input, axis, result, axis));
    relations.mixed(result, result.shape.length - 1, 'a softmax compares its positions');
  },
  /** Largest, difference, exp, sum, quotient. */
  cost: perElement(5),
  lower(node, lowering) {
    lowering.node({
      op: 'Softmax',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
      attributes: { axis: int(-1) },
    });
  },
};
