/** RMSNorm (Zhang and Sennrich, arXiv 1910.07467): x / sqrt(mean(x^2) + epsilon) * scale over the last axis. */
import { multiplyDims } from '../dims';
import { float, int, namesOf, numberAttribute, type OpRule } from '../op-rule';
import { inputAt, shapeError, sumToShape } from '../shapes';

export const rmsNormRule: OpRule = {
  op: 'RmsNorm',
  infer(inputs) {
    const input = inputAt('RmsNorm', inputs, 0);
    const scale = inputAt('RmsNorm', inputs, 1);
    if (scale.shape.length !== 1 || scale.shape[0] !== input.shape.at(-1)) {
      throw shapeError('RmsNorm', '[.., C] and a scale [C]', [input.shape, scale.shape]);
    }
    return [{ type: input.type, shape: input.shape }];
  },
  /**
   * With r = 1/sqrt(mean(x^2) + e), n = x r and g = dY scale: dX = r (g - n mean(g n)), dScale = sum(dY n).
   * r is computed again: the runtime's second output for it is wrong on WebGPU.
   */
  gradient({ builder, node, outputGradient, wants }) {
    const input = inputAt('RmsNorm', node.inputs, 0);
    const scale = inputAt('RmsNorm', node.inputs, 1);
    const last = [input.shape.length - 1];
    const meanSquare = builder.reduceMean(builder.multiply(input, input), last);
    const epsilon = builder.scalar(numberAttribute(node.attributes, 'epsilon'));
    const inverse = builder.reciprocal(builder.sqrt(builder.add(meanSquare, epsilon)));
    const normal = builder.multiply(input, inverse);
    const inputGradient = () => {
      const scaled = builder.multiply(outputGradient, scale);
      const projection = builder.reduceMean(builder.multiply(scaled, normal), last);
      return builder.multiply(inverse, builder.subtract(scaled, builder.multiply(normal, projection)));
    };
    return [
      wants(0) ? inputGradient() : null,
      wants(1) ? sumToShape(builder, builder.multiply(outputGradient, normal), scale.shape) : null,
    ];
  },
  relate(node, relations) {
    const input = inputAt('RmsNorm', node.inputs, 0);
    const result = inputAt('RmsNorm', node.outputs, 0);
    const last = result.shape.length - 1;
    input.shape.forEach((_, axis) => relations.same(input, axis, result, axis));
    relations.same(inputAt('RmsNorm', node.inputs, 1), 0, result, last);
    relations.mixed(result, last, 'a norm averages over it');
  },
  /** Square and sum, times the inverse, times the scale; once a row: mean, epsilon, root, inverse. */
  cost(node) {
    const { shape } = inputAt('RmsNorm', node.outputs, 0);
    return [multiplyDims(4, ...shape), multiplyDims(4, ...shape.slice(0, -1))];
  },
  lower(node, lowering) {
    lowering.node({
      op: 'SimplifiedLayerNormalization',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
      attributes: { axis: int(-1), epsilon: float(numberAttribute(node.attributes, 'epsilon')) },
    });
  },
};
