/** Functions of one element: Neg, Exp, Reciprocal, Sqrt, Sigmoid, Tanh, Erf. */
import type { Value } from '../graph';
import { perElement, type GradientContext, type OpRule } from '../op-rule';
import { inputAt } from '../shapes';

/** A rule whose derivative is written with the result, which is at hand in the backward pass. */
function unaryRule(op: string, gradient: (context: GradientContext, result: Value) => Value): OpRule {
  return {
    op,
    infer(inputs) {
      const input = inputAt(op, inputs, 0);
      return [{ type: input.type, shape: input.shape }];
    },
    gradient: (context) => [gradient(context, inputAt(op, context.node.outputs, 0))],
    cost: perElement(1),
  };
}

export const negRule = unaryRule('Neg', ({ builder, outputGradient }) => builder.negate(outputGradient));

export const expRule = unaryRule('Exp', ({ builder, outputGradient }, result) => builder.multiply(outputGradient, result));

export const reciprocalRule = unaryRule('Reciprocal', ({ builder, outputGradient }, result) =>
  builder.negate(builder.multiply(outputGradient, builder.multiply(result, result))),
);

export const sqrtRule = unaryRule('Sqrt', ({ builder, outputGradient }, result) =>
  builder.divide(builder.multiply(outputGradient, builder.scalar(0.5)), result),
);

export const sigmoidRule = unaryRule('Sigmoid', ({ builder, outputGradient }, result) =>
  builder.multiply(outputGradient, builder.multiply(result, builder.subtract(builder.scalar(1), result))),
);

export const tanhRule = unaryRule('Tanh', ({ builder, outputGradient }, result) =>
  builder.multiply(outputGradient, builder.subtract(builder.scalar(1), builder.multiply(result, result))),
);

/** The error function; its slope is 2 / sqrt(pi) exp(-x^2). */
export const erfRule = unaryRule('Erf', ({ builder, node, outputGradient }) => {
  const input = inputAt('Erf', node.inputs, 0);
  const slope = builder.multiply(builder.exp(builder.negate(builder.multiply(input, input))), builder.scalar(2 / Math.sqrt(Math.PI)));
  return builder.multiply(outputGradient, slope);
});
