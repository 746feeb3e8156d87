/** MatMul of stacks of matrices: [.., M, K] x [.., K, N], leading axes broadcast. */
import type { GraphBuilder } from '../builder';
import { multiplyDims } from '../dims';
import type { Value } from '../graph';
import type { OpRule } from '../op-rule';
import { broadcastShapes, inputAt, shapeError, sumToShape } from '../shapes';

export const matmulRule: OpRule = {
  op: 'MatMul',
  infer(inputs) {
    const left = inputAt('MatMul', inputs, 0);
    const right = inputAt('MatMul', inputs, 1);
    const rows = left.shape.at(-2);
    const columns = right.shape.at(-1);
    if (rows === undefined || columns === undefined || left.shape.at(-1) !== right.shape.at(-2)) {
      throw shapeError('MatMul', '[.., M, K] and [.., K, N]', [left.shape, right.shape]);
    }
    const lead = broadcastShapes('MatMul', left.shape.slice(0, -2), right.shape.slice(0, -2));
    return [{ type: left.type, shape: [...lead, rows, columns] }];
  },
  gradient({ builder, node, outputGradient, wants }) {
    const left = inputAt('MatMul', node.inputs, 0);
    const right = inputAt('MatMul', node.inputs, 1);
    return [
      wants(0) ? sumToShape(builder, builder.matmul(outputGradient, swapLast(builder, right)), left.shape) : null,
      wants(1) ? sumToShape(builder, builder.matmul(swapLast(builder, left), outputGradient), right.shape) : null,
    ];
  },
  relate(node, relations) {
    const left = inputAt('MatMul', node.inputs, 0);
    const right = inputAt('MatMul', node.inputs, 1);
    const result = inputAt('MatMul', node.outputs, 0);
    const rank = result.shape.length;
    relations.same(left, left.shape.length - 2, result, rank - 2);
    relations.same(right, right.shape.length - 1, result, rank - 1);
    relations.same(left, left.shape.length - 1, right, right.shape.length - 2);
    for (let axis = 0; axis < rank - 2; axis++) {
      relations.independent(result, axis);
      for (const operand of [left, right]) {
        const own = axis - (rank - operand.shape.length);
        if (own >= 0 && operand.shape[own] === result.shape[axis]) relations.same(operand, own, result, axis);
      }
    }
  },
  cost(node) {
    const inner = inputAt('MatMul', node.inputs, 0).shape.at(-1) ?? 1;
    return [multiplyDims(2, ...inputAt('MatMul', node.outputs, 0).shape, inner)];
  },
};

function swapLast(builder: GraphBuilder, value: Value): Value {
  const rank = value.shape.length;
  const order = value.shape.map((_, axis) => (axis === rank - 1 ? rank - 2 : axis === rank - 2 ? rank - 1 : axis));
  return builder.transpose(value, order);
}
