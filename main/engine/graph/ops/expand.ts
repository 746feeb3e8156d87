/** Expand: repeats along axes of size 1. */
import { dimsAttribute, namesOf, type OpRule } from '../op-rule';
import { broadcastShapes, inputAt, shapeError, sumToShape } from '../shapes';

export const expandRule: OpRule = {
  op: 'Expand',
  infer(inputs, attributes) {
    const input = inputAt('Expand', inputs, 0);
    const shape = dimsAttribute(attributes, 'shape');
    if (broadcastShapes('Expand', input.shape, shape).some((dim, axis) => dim !== shape[axis])) {
      throw shapeError('Expand', `a shape that broadcasts to [${shape.join(', ')}]`, [input.shape]);
    }
    return [{ type: input.type, shape }];
  },
  gradient({ builder, node, outputGradient }) {
    return [sumToShape(builder, outputGradient, inputAt('Expand', node.inputs, 0).shape)];
  },
  lower(node, lowering) {
    const shape = lowering.shape(dimsAttribute(node.attributes, 'shape'));
    lowering.node({ op: 'Expand', inputs: [...namesOf(node.inputs), shape], outputs: namesOf(node.outputs) });
  },
};
