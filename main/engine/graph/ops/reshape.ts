/** Reshape to a shape with the same number of elements. */
import { multiplyDims } from '../dims';
import { dimsAttribute, namesOf, type OpRule } from '../op-rule';
import { inputAt, shapeError } from '../shapes';

export const reshapeRule: OpRule = {
  op: 'Reshape',
  infer(inputs, attributes) {
    const input = inputAt('Reshape', inputs, 0);
    const shape = dimsAttribute(attributes, 'shape');
    if (multiplyDims(...shape) !== multiplyDims(...input.shape)) {
      throw shapeError('Reshape', `as many elements as [${shape.join(', ')}]`, [input.shape]);
    }
    return [{ type: input.type, shape }];
  },
  gradient({ builder, node, outputGradient }) {
    return [builder.reshape(outputGradient, inputAt('Reshape', node.inputs, 0).shape)];
  },
  relate(node, relations) {
    relations.reshaped(inputAt('Reshape', node.inputs, 0), inputAt('Reshape', node.outputs, 0));
  },
  isView: true,
  lower(node, lowering) {
    const shape = dimsAttribute(node.attributes, 'shape');
    const symbolic = shape.filter((dim) => typeof dim === 'string');
    // One unknown size can be left to ONNX as -1; the runtime feeds the shape where there are more.
    const target =
      symbolic.length === 1
        ? lowering.int64s(shape.map((dim) => (typeof dim === 'number' ? dim : -1)))
        : lowering.shape(shape);
    lowering.node({ op: 'Reshape', inputs: [...namesOf(node.inputs), target], outputs: namesOf(node.outputs) });
  },
};
