/**
 * LayerNorm (Ba et al., arXiv 1607.06450): (x - mean(x)) / sqrt(variance(x) + epsilon) over the last axis, then times a
 * scale [C] and plus a bias [C], or without both.
 */
import { multiplyDims } from '../dims';
import { float, int, namesOf, numberAttribute, type Lowering, type OpRule } from '../op-rule';
import type { Node } from '../graph';
import { inputAt, shapeError, sumToShape } from '../shapes';

export const layerNormRule: OpRule = {
  op: 'LayerNorm',
  infer(inputs) {
    const input = inputAt('LayerNorm', inputs, 0);
    const width = input.shape.at(-1);
    const weights = inputs.slice(1);
    if ((weights.length !== 0 && weights.length !== 2) || weights.some(({ shape }) => shape.length !== 1 || shape[0] !== width)) {
      throw shapeError('LayerNorm', '[.., C], and a scale and a bias [C] or neither', inputs.map(({ shape }) => shape));
    }
    return [{ type: input.type, shape: input.shape }];
  },
  /**
   * With c = x - mean(x), r = 1/sqrt(mean(c^2) + e), n = c r and g = dY scale: dX = r (g - mean(g) - n mean(g n)),
   * dScale = sum(dY n), dBias = sum(dY).
   */
  gradient({ builder, node, outputGradient, wants }) {
    const input = inputAt('LayerNorm', node.inputs, 0);
    const [, scale, bias] = node.inputs;
    const last = [input.shape.length - 1];
    const centred = builder.subtract(input, builder.reduceMean(input, last));
    const variance = builder.reduceMean(builder.multiply(centred, centred), last);
    const epsilon = builder.scalar(numberAttribute(node.attributes, 'epsilon'));
    const inverse = builder.reciprocal(builder.sqrt(builder.add(variance, epsilon)));
    const normal = builder.multiply(centred, inverse);
    const inputGradient = () => {
      const scaled = scale === undefined ? outputGradient : builder.multiply(outputGradient, scale);
      const projection = builder.reduceMean(builder.multiply(scaled, normal), last);
      const rest = builder.subtract(builder.subtract(scaled, builder.reduceMean(scaled, last)), builder.multiply(normal, projection));
      return builder.multiply(inverse, rest);
    };
    return [
      wants(0) ? inputGradient() : null,
      scale !== undefined && wants(1) ? sumToShape(builder, builder.multiply(outputGradient, normal), scale.shape) : null,
      bias !== undefined && wants(2) ? sumToShape(builder, outputGradient, bias.shape) : null,
    ];
  },
  relate(node, relations) {
    const input = inputAt('LayerNorm', node.inputs, 0);
    const result = inputAt('LayerNorm', node.outputs, 0);
    const last = result.shape.length - 1;
    input.shape.forEach((_, axis) => relations.same(input, axis, result, axis));
    for (const weight of node.inputs.slice(1)) relations.same(weight, 0, result, last);
    relations.mixed(result, last, 'a norm averages over it');
  },
  /** Sum, difference, square and sum, times the inverse, scale and bias; once a row: two means, epsilon, root, inverse. */
  cost(node) {
    const { shape } = inputAt('LayerNorm', node.outputs, 0);
    return [multiplyDims(7, ...shape), multiplyDims(5, ...shape.slice(0, -1))];
  },
  /** The runtime's operator wants a scale; without one, and on devices where it was not checked, it is composed. */
  lower(node, lowering) {
    const epsilon = numberAttribute(node.attributes, 'epsilon');
    if (node.inputs.length === 3 && lowering.device === 'cpu') {
      lowering.node({ op: 'LayerNormalization', inputs: namesOf(node.inputs), outputs: namesOf(node.outputs), attributes: { axis: int(-1), epsilon: float(epsilon) } });
      return;
    }
    compose(node, epsilon, lowering);
  },
};

function compose(node: Node, epsilon: number, lowering: Lowering): void {
  const input = inputAt('LayerNorm', node.inputs, 0);
  const outputs = namesOf(node.outputs);
  const make = (op: string, inputs: string[], into?: readonly string[]): string => {
    const name = into?.[0] ?? lowering.fresh();
    lowering.node({ op, inputs, outputs: [name], ...(op === 'ReduceMean' ? { attributes: { keepdims: int(1) } } : {}) });
    return name;
  };
  const last = lowering.int64s([input.shape.length - 1]);
  const centred = make('Sub', [input.name, make('ReduceMean', [input.name, last])]);
  const variance = make('ReduceMean', [make('Mul', [centred, centred]), last]);
  const small = lowering.scalar(input.type === 'float64' ? 'float64' : 'float32', epsilon);
  const deviation = make('Sqrt', [make('Add', [variance, small])]);
  const [, scale, bias] = namesOf(node.inputs);
  if (scale === undefined || bias === undefined) make('Div', [centred, deviation], outputs);
  else make('Add', [make('Mul', [make('Div', [centred, deviation]), scale]), bias], outputs);
}
