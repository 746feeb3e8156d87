/** Gemm: alpha * op(A) . op(B) + C on matrices, op transposing where asked, C broadcast to the result. */
import { multiplyDims, type Dim } from '../dims';
import type { Attributes, Value } from '../graph';
import { float, int, namesOf, numberAttribute, type OpRule } from '../op-rule';
import { broadcastShapes, inputAt, shapeError, sumToShape } from '../shapes';

interface GemmForm {
  readonly transposeLeft: boolean;
  readonly transposeRight: boolean;
  readonly alpha: number;
}

function formOf(attributes: Attributes): GemmForm {
  return {
    transposeLeft: numberAttribute(attributes, 'transA') === 1,
    transposeRight: numberAttribute(attributes, 'transB') === 1,
    alpha: numberAttribute(attributes, 'alpha'),
  };
}

function matrixShape(value: Value, transposed: boolean): readonly [Dim, Dim] {
  const [rows, columns] = value.shape;
  if (rows === undefined || columns === undefined || value.shape.length !== 2) throw shapeError('Gemm', 'matrices', [value.shape]);
  return transposed ? [columns, rows] : [rows, columns];
}

export const gemmRule: OpRule = {
  op: 'Gemm',
  infer(inputs, attributes) {
    const left = inputAt('Gemm', inputs, 0);
    const right = inputAt('Gemm', inputs, 1);
    const form = formOf(attributes);
    const [rows, inner] = matrixShape(left, form.transposeLeft);
    const [innerRight, columns] = matrixShape(right, form.transposeRight);
    if (inner !== innerRight) throw shapeError('Gemm', 'equal inner sizes', [left.shape, right.shape]);
    const shape = [rows, columns];
    const added = inputs[2];
    if (added !== undefined && broadcastShapes('Gemm', shape, added.shape).some((dim, axis) => dim !== shape[axis])) {
      throw shapeError('Gemm', `a summand that broadcasts to [${shape.join(', ')}]`, [added.shape]);
    }
    return [{ type: left.type, shape }];
  },
  /** With Y = a X W: dX = a dY W^T and dW = a X^T dY, transposed back where the operand was. */
  gradient({ builder, node, outputGradient, wants }) {
    const left = inputAt('Gemm', node.inputs, 0);
    const right = inputAt('Gemm', node.inputs, 1);
    const { transposeLeft, transposeRight, alpha } = formOf(node.attributes);
    const added = node.inputs[2];
    const leftGradient = (): Value =>
      transposeLeft
        ? builder.gemm(right, outputGradient, { transposeLeft: transposeRight, transposeRight: true, alpha })
        : builder.gemm(outputGradient, right, { transposeRight: !transposeRight, alpha });
    const rightGradient = (): Value =>
      transposeRight
        ? builder.gemm(outputGradient, left, { transposeLeft: true, transposeRight: transposeLeft, alpha })
        : builder.gemm(left, outputGradient, { transposeLeft: !transposeLeft, alpha });
    return [
      wants(0) ? leftGradient() : null,
      wants(1) ? rightGradient() : null,
      added !== undefined && wants(2) ? sumToShape(builder, outputGradient, added.shape) : null,
    ];
  },
  relate(node, relations) {
    const left = inputAt('Gemm', node.inputs, 0);
    const right = inputAt('Gemm', node.inputs, 1);
    const result = inputAt('Gemm', node.outputs, 0);
    const { transposeLeft, transposeRight } = formOf(node.attributes);
    relations.same(left, transposeLeft ? 1 : 0, result, 0);
    relations.same(right, transposeRight ? 0 : 1, result, 1);
    relations.same(left, transposeLeft ? 0 : 1, right, transposeRight ? 1 : 0);
    const added = node.inputs[2];
    added?.shape.forEach((dim, axis) => {
      if (dim !== 1) relations.same(added, axis, result, axis + 2 - added.shape.length);
    });
  },
  cost(node) {
    const { transposeLeft, alpha } = formOf(node.attributes);
    const [rows, inner] = matrixShape(inputAt('Gemm', node.inputs, 0), transposeLeft);
    const result = multiplyDims(...inputAt('Gemm', node.outputs, 0).shape);
    const columns = inputAt('Gemm', node.outputs, 0).shape[1] ?? 1;
    return [multiplyDims(2, rows, inner, columns), ...(alpha === 1 ? [] : [result]), ...(node.inputs.length > 2 ? [result] : [])];
  },
  lower(node, lowering) {
    const { transposeLeft, transposeRight, alpha } = formOf(node.attributes);
    lowering.node({
      op: 'Gemm',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
      attributes: { transA: int(transposeLeft ? 1 : 0), transB: int(transposeRight ? 1 : 0), alpha: float(alpha) },
    });
  },
};
