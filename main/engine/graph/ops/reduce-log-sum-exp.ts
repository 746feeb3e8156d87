/** ReduceLogSumExp: log(sum(exp(x))) over axes, which stay with size 1; the runtime subtracts the maximum first. */
import { integersAttribute, type OpRule } from '../op-rule';
import { inputAt } from '../shapes';
import { lowerReduction, reducedShape } from './reduce';

export const reduceLogSumExpRule: OpRule = {
  op: 'ReduceLogSumExp',
  infer(inputs, attributes) {
    const input = inputAt('ReduceLogSumExp', inputs, 0);
    return [{ type: input.type, shape: reducedShape('ReduceLogSumExp', input.shape, integersAttribute(attributes, 'axes')) }];
  },
  /** The derivative is the softmax: exp(x - logSumExp(x)). */
  gradient({ builder, node, outputGradient }) {
    const input = inputAt('ReduceLogSumExp', node.inputs, 0);
    const share = builder.exp(builder.subtract(input, inputAt('ReduceLogSumExp', node.outputs, 0)));
    return [builder.multiply(share, outputGradient)];
  },
  lower: (node, lowering) => {
    lowerReduction('ReduceLogSumExp', node, lowering);
  },
};
