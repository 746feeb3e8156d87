/** GatherElements picks one element a row (last axis) by index [.., 1]; ScatterElements writes them into a tensor. */
import { int, namesOf, type OpRule } from '../op-rule';
import { inputAt, shapeError } from '../shapes';

export const gatherElementsRule: OpRule = {
  op: 'GatherElements',
  infer(inputs) {
    const input = inputAt('GatherElements', inputs, 0);
    const indices = inputAt('GatherElements', inputs, 1);
    if (indices.type !== 'int64' || indices.shape.length !== input.shape.length) {
      throw shapeError('GatherElements', 'int64 indices of the same rank', [input.shape, indices.shape]);
    }
    return [{ type: input.type, shape: indices.shape }];
  },
  /** The gradient goes back to the picked elements; all others get zero. */
  gradient({ builder, node, outputGradient }) {
    const input = inputAt('GatherElements', node.inputs, 0);
    const indices = inputAt('GatherElements', node.inputs, 1);
    const zeros = builder.expand(builder.scalar(0), input.shape);
    return [builder.apply('ScatterElements', [zeros, indices, outputGradient]), null];
  },
  lower(node, lowering) {
    lowering.node({
      op: 'GatherElements',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
      attributes: { axis: int(-1) },
    });
  },
};

export const scatterElementsRule: OpRule = {
  op: 'ScatterElements',
  infer(inputs) {
    const input = inputAt('ScatterElements', inputs, 0);
    const updates = inputAt('ScatterElements', inputs, 2);
    if (updates.shape.length !== input.shape.length) {
      throw shapeError('ScatterElements', 'updates of the same rank', [input.shape, updates.shape]);
    }
    return [{ type: input.type, shape: input.shape }];
  },
  lower(node, lowering) {
    lowering.node({
      op: 'ScatterElements',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
      attributes: { axis: int(-1) },
    });
  },
};
