/** ReduceLogSumExp: log(sum(exp(x))) over axes, which stay with size 1. */
import { multiplyDims } from '../dims';
import { int, integersAttribute, namesOf, type OpRule } from '../op-rule';
import { inputAt } from '../shapes';
import { reducedShape } from './reduce';

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
  /** Largest, difference, exp, sum; once a result: log, sum. */
  cost(node) {
    return [multiplyDims(4, ...inputAt('ReduceLogSumExp', node.inputs, 0).shape), multiplyDims(2, ...inputAt('ReduceLogSumExp', node.outputs, 0).shape)];
  },
  /** The differences and their exponentials. */
  scratch(node) {
    const { type, shape } = inputAt('ReduceLogSumExp', node.inputs, 0);
    return [{ type, shape }, { type, shape }];
  },
  /**
   * Composed of max, exp and sum: the runtime's own operator adds term by term in float32, which over a vocabulary of
   * 49,152 loses 1e-4 nats.
   */
  lower(node, lowering) {
    const [input = ''] = namesOf(node.inputs);
    const axes = lowering.int64s(integersAttribute(node.attributes, 'axes'));
    const [top, shifted, raised, sum, log] = [0, 1, 2, 3, 4].map(() => lowering.fresh());
    const step = (op: string, inputs: (string | undefined)[], output: string | undefined, reduces = false): void => {
      const attributes = reduces ? { attributes: { keepdims: int(1) } } : {};
      lowering.node({ op, inputs: inputs.map((name) => name ?? ''), outputs: [output ?? ''], ...attributes });
    };
    step('ReduceMax', [input, axes], top, true);
    step('Sub', [input, top], shifted);
    step('Exp', [shifted], raised);
    step('ReduceSum', [raised, axes], sum, true);
    step('Log', [sum], log);
    step('Add', [log, top], node.outputs[0]?.name);
  },
};
