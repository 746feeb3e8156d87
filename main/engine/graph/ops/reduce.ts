/** ReduceSum and ReduceMean over given axes, which stay with size 1. */
import { divideDim, multiplyDims } from '../dims';
import type { Node } from '../graph';
import { int, integersAttribute, namesOf, type Lowering, type OpRule } from '../op-rule';
import { inputAt, normaliseAxis, shapeError } from '../shapes';

/** Shape after reducing axes to size 1. */
export function reducedShape(op: string, shape: OpRuleShape, axes: readonly number[]): OpRuleShape {
  const normal = axes.map((axis) => normaliseAxis(op, axis, shape.length));
  return shape.map((dim, axis) => (normal.includes(axis) ? 1 : dim));
}
type OpRuleShape = Parameters<typeof shapeError>[2][number];

/** Writes a reduction in ONNX's form, axes as a second input. */
export function lowerReduction(op: string, node: Node, lowering: Lowering): void {
  const axes = lowering.int64s(integersAttribute(node.attributes, 'axes'));
  lowering.node({ op, inputs: [...namesOf(node.inputs), axes], outputs: namesOf(node.outputs), attributes: { keepdims: int(1) } });
}

export const reduceSumRule: OpRule = {
  op: 'ReduceSum',
  infer(inputs, attributes) {
    const input = inputAt('ReduceSum', inputs, 0);
    return [{ type: input.type, shape: reducedShape('ReduceSum', input.shape, integersAttribute(attributes, 'axes')) }];
  },
  gradient: ({ builder, node, outputGradient }) => [builder.expand(outputGradient, inputAt('ReduceSum', node.inputs, 0).shape)],
  cost: (node) => [multiplyDims(...inputAt('ReduceSum', node.inputs, 0).shape)],
  lower: (node, lowering) => {
    lowerReduction('ReduceSum', node, lowering);
  },
};

export const reduceMeanRule: OpRule = {
  op: 'ReduceMean',
  infer(inputs, attributes) {
    const input = inputAt('ReduceMean', inputs, 0);
    return [{ type: input.type, shape: reducedShape('ReduceMean', input.shape, integersAttribute(attributes, 'axes')) }];
  },
  /** Needs a count that is known when the graph is made. */
  gradient({ builder, node, outputGradient }) {
    const input = inputAt('ReduceMean', node.inputs, 0);
    const count = divideDim(multiplyDims(...input.shape), multiplyDims(...outputGradient.shape));
    if (typeof count !== 'number') throw shapeError('gradient of ReduceMean', 'axes of known size', [input.shape]);
    return [builder.expand(builder.multiply(outputGradient, builder.scalar(1 / count)), input.shape)];
  },
  cost: (node) => [multiplyDims(...inputAt('ReduceMean', node.inputs, 0).shape), multiplyDims(...inputAt('ReduceMean', node.outputs, 0).shape)],
  lower: (node, lowering) => {
    lowerReduction('ReduceMean', node, lowering);
  },
};
