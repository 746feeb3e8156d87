/**
 * GELU, x Phi(x) with the normal distribution Phi (Hendrycks and Gimpel, arXiv 1606.08415): with attribute `tanh` 0
 * exactly, by the error function; with 1 by the paper's approximation with tanh, which some models were trained with.
 */
import type { Value } from '../graph';
import { namesOf, numberAttribute, perElement, type GradientContext, type Lowering, type OpRule } from '../op-rule';
import { inputAt } from '../shapes';

/** The approximation is 0.5 x (1 + tanh(SLOPE (x + CUBIC x^3))). */
const SLOPE = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

export const geluRule: OpRule = {
  op: 'Gelu',
  infer(inputs) {
    const input = inputAt('Gelu', inputs, 0);
    return [{ type: input.type, shape: input.shape }];
  },
  gradient: (context) => {
    const input = inputAt('Gelu', context.node.inputs, 0);
    const isTanh = numberAttribute(context.node.attributes, 'tanh') === 1;
    const slope = isTanh ? tanhSlope(context, input) : exactSlope(context, input);
    return [context.builder.multiply(context.outputGradient, slope)];
  },
  cost: perElement(8),
  /** The runtime's one-pass operators exist for float32, and are used where they were checked; else composed. */
  lower(node, lowering) {
    const isTanh = numberAttribute(node.attributes, 'tanh') === 1;
    const input = inputAt('Gelu', node.inputs, 0);
    if (input.type === 'float32' && lowering.device === 'cpu') {
      lowering.node({ op: isTanh ? 'FastGelu' : 'Gelu', domain: 'com.microsoft', inputs: namesOf(node.inputs), outputs: namesOf(node.outputs) });
      return;
    }
    compose(input, namesOf(node.outputs), isTanh, lowering);
  },
};

/** 0.5 (1 + t) + 0.5 x (1 - t^2) u' with t = tanh(u). */
function tanhSlope({ builder }: GradientContext, x: Value): Value {
  const square = builder.multiply(x, x);
  const inner = builder.multiply(builder.multiply(x, builder.scalar(SLOPE)), builder.add(builder.multiply(square, builder.scalar(CUBIC)), builder.scalar(1)));
  const innerSlope = builder.add(builder.multiply(square, builder.scalar(3 * CUBIC * SLOPE)), builder.scalar(SLOPE));
  const t = builder.apply('Tanh', [inner]);
  const share = builder.add(builder.multiply(t, builder.scalar(0.5)), builder.scalar(0.5));
  const curve = builder.multiply(builder.subtract(builder.scalar(1), builder.multiply(t, t)), innerSlope);
  return builder.add(share, builder.multiply(builder.multiply(x, builder.scalar(0.5)), curve));
}

/** Phi(x) + x phi(x), phi the density of the normal distribution. */
function exactSlope({ builder }: GradientContext, x: Value): Value {
  const distribution = builder.apply('Erf', [builder.multiply(x, builder.scalar(Math.SQRT1_2))]);
  const share = builder.add(builder.multiply(distribution, builder.scalar(0.5)), builder.scalar(0.5));
  const density = builder.exp(builder.multiply(builder.multiply(x, x), builder.scalar(-0.5)));
  return builder.add(share, builder.multiply(builder.multiply(x, builder.scalar(1 / Math.sqrt(2 * Math.PI))), density));
}

function compose(input: Value, outputs: readonly string[], isTanh: boolean, lowering: Lowering): void {
  const constant = (value: number): string => lowering.scalar(input.type === 'float64' ? 'float64' : 'float32', value);
  const make = (op: string, ...inputs: string[]): string => {
    const name = lowering.fresh();
    lowering.node({ op, inputs, outputs: [name] });
    return name;
  };
  const x = input.name;
  const square = (): string => make('Mul', make('Mul', x, x), constant(CUBIC));
  const bent = isTanh
    ? make('Tanh', make('Mul', make('Mul', x, constant(SLOPE)), make('Add', square(), constant(1))))
    : make('Erf', make('Mul', x, constant(Math.SQRT1_2)));
  lowering.node({ op: 'Mul', inputs: [make('Mul', x, constant(0.5)), make('Add', bent, constant(1))], outputs });
}
