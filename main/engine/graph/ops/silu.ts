/** SiLU, x * sigmoid(x) (Elfwing et al., arXiv 1702.03118): the activation of gated feed-forward layers. */
import { float, namesOf, perElement, type OpRule } from '../op-rule';
import { inputAt } from '../shapes';

export const siluRule: OpRule = {
  op: 'Silu',
  infer(inputs) {
    const input = inputAt('Silu', inputs, 0);
    return [{ type: input.type, shape: input.shape }];
  },
  /** silu'(x) = s + silu(x) (1 - s) with s = sigmoid(x). */
  gradient({ builder, node, outputGradient }) {
    const input = inputAt('Silu', node.inputs, 0);
    const sigmoid = builder.sigmoid(input);
    const result = builder.multiply(input, sigmoid);
    const slope = builder.add(sigmoid, builder.subtract(result, builder.multiply(result, sigmoid)));
    return [builder.multiply(outputGradient, slope)];
  },
  cost: perElement(2),
  lower(node, lowering) {
    const inputs = namesOf(node.inputs);
    const outputs = namesOf(node.outputs);
    if (inputAt('Silu', node.inputs, 0).type === 'float32') {
      // QuickGelu is x * sigmoid(alpha x), in one pass; it exists for float32 alone.
      lowering.node({ op: 'QuickGelu', domain: 'com.microsoft', inputs, outputs, attributes: { alpha: float(1) } });
      return;
    }
    const sigmoid = lowering.fresh();
    lowering.node({ op: 'Sigmoid', inputs, outputs: [sigmoid] });
    lowering.node({ op: 'Mul', inputs: [...inputs, sigmoid], outputs });
  },
};
