/** Transpose: reorders axes. */
import { integersAttribute, ints, namesOf, type OpRule } from '../op-rule';
import { inputAt, shapeError } from '../shapes';

export const transposeRule: OpRule = {
  op: 'Transpose',
  infer(inputs, attributes) {
    const input = inputAt('Transpose', inputs, 0);
    const order = integersAttribute(attributes, 'order');
    const shape = order.map((axis) => input.shape[axis]);
    if (new Set(order).size !== input.shape.length || order.length !== input.shape.length) {
      throw shapeError('Transpose', `an order of ${order.length} axes`, [input.shape]);
    }
    return [{ type: input.type, shape: shape.filter((dim) => dim !== undefined) }];
  },
  gradient({ builder, node, outputGradient }) {
    const order = integersAttribute(node.attributes, 'order');
    return [builder.transpose(outputGradient, order.map((_, axis) => order.indexOf(axis)))];
  },
  relate(node, relations) {
    integersAttribute(node.attributes, 'order').forEach((from, to) => {
      relations.same(inputAt('Transpose', node.inputs, 0), from, inputAt('Transpose', node.outputs, 0), to);
    });
  },
  lower(node, lowering) {
    lowering.node({
      op: 'Transpose',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
      attributes: { perm: ints(integersAttribute(node.attributes, 'order')) },
    });
  },
};
