/** Add, Sub, Mul, Div with broadcasting. */
import type { Value } from '../graph';
import { perElement, type GradientContext, type OpRule } from '../op-rule';
import { broadcastShapes, inputAt, sumToShape } from '../shapes';

type Side = (context: GradientContext, left: Value, right: Value) => Value;

function binaryRule(op: string, gradients: { readonly left: Side; readonly right: Side }): OpRule {
  return {
    op,
    infer(inputs) {
      const left = inputAt(op, inputs, 0);
      return [{ type: left.type, shape: broadcastShapes(op, left.shape, inputAt(op, inputs, 1).shape) }];
    },
    gradient(context) {
      const left = inputAt(op, context.node.inputs, 0);
      const right = inputAt(op, context.node.inputs, 1);
      return [
        context.wants(0) ? sumToShape(context.builder, gradients.left(context, left, right), left.shape) : null,
        context.wants(1) ? sumToShape(context.builder, gradients.right(context, left, right), right.shape) : null,
      ];
    },
    cost: perElement(1),
  };
}

export const addRule = binaryRule('Add', {
  left: ({ outputGradient }) => outputGradient,
  right: ({ outputGradient }) => outputGradient,
});

export const subRule = binaryRule('Sub', {
  left: ({ outputGradient }) => outputGradient,
  right: ({ builder, outputGradient }) => builder.negate(outputGradient),
});

export const mulRule = binaryRule('Mul', {
  left: ({ builder, outputGradient }, _left, right) => builder.multiply(outputGradient, right),
  right: ({ builder, outputGradient }, left) => builder.multiply(outputGradient, left),
});

export const divRule = binaryRule('Div', {
  left: ({ builder, outputGradient }, _left, right) => builder.divide(outputGradient, right),
  right: ({ builder, outputGradient }, left, right) =>
    builder.negate(builder.divide(builder.multiply(outputGradient, left), builder.multiply(right, right))),
});
