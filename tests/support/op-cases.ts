/** Small graphs that show each operator of the op table: for comparing its gradient, and devices with each other. */
import type { GradientCase } from './gradient-check';

const positive = (sample: number): number => 0.5 + Math.abs(sample);

/** At least one case for each operator with a gradient; tests/gradients holds the list to the table. */
export const opCases: Readonly<Record<string, readonly GradientCase[]>> = {
  Add: [
    { shapes: [[2, 3], [2, 3]], build: (b, [x, y]) => b.add(must(x), must(y)) },
    { shapes: [[2, 3], [3]], build: (b, [x, y]) => b.add(must(x), must(y)) },
    { shapes: [[2, 1, 3], [4, 1]], build: (b, [x, y]) => b.add(must(x), must(y)) },
  ],
  Sub: [{ shapes: [[2, 3], [2, 1]], build: (b, [x, y]) => b.subtract(must(x), must(y)) }],
  Mul: [{ shapes: [[2, 3], [1, 3]], build: (b, [x, y]) => b.multiply(must(x), must(y)) }],
  Div: [{ shapes: [[2, 3], [3]], build: (b, [x, y]) => b.divide(must(x), must(y)), domain: positive }],
  Neg: [{ shapes: [[4]], build: (b, [x]) => b.negate(must(x)) }],
  Exp: [{ shapes: [[4]], build: (b, [x]) => b.exp(must(x)) }],
  Reciprocal: [{ shapes: [[4]], build: (b, [x]) => b.reciprocal(must(x)), domain: positive }],
  Sqrt: [{ shapes: [[4]], build: (b, [x]) => b.sqrt(must(x)), domain: positive }],
  Sigmoid: [{ shapes: [[4]], build: (b, [x]) => b.sigmoid(must(x)) }],
  Silu: [
    { shapes: [[5]], build: (b, [x]) => b.apply('Silu', [must(x)]) },
    { shapes: [[5]], build: (b, [x]) => b.apply('Silu', [must(x)]), type: 'float32' },
  ],
  Tanh: [{ shapes: [[4]], build: (b, [x]) => b.apply('Tanh', [must(x)]) }],
  Erf: [{ shapes: [[4]], build: (b, [x]) => b.apply('Erf', [must(x)]), type: 'float32' }],
  Gelu: [
    { shapes: [[5]], build: (b, [x]) => b.apply('Gelu', [must(x)], { tanh: 1 }) },
    { shapes: [[5]], build: (b, [x]) => b.apply('Gelu', [must(x)], { tanh: 1 }), type: 'float32' },
    { shapes: [[5]], build: (b, [x]) => b.apply('Gelu', [must(x)], { tanh: 0 }), type: 'float32' },
  ],
  MatMul: [
    { shapes: [[2, 3], [3, 4]], build: (b, [x, y]) => b.matmul(must(x), must(y)) },
    { shapes: [[2, 2, 3], [2, 3, 2]], build: (b, [x, y]) => b.matmul(must(x), must(y)) },
    { shapes: [[2, 2, 3], [3, 2]], build: (b, [x, y]) => b.matmul(must(x), must(y)) },
  ],
  Gemm: [false, true].flatMap((transposeLeft) =>
    [false, true].map((transposeRight) => ({
      shapes: [transposeLeft ? [3, 2] : [2, 3], transposeRight ? [4, 3] : [3, 4], [4]],
      build: (b, [x, y, z]) =>
        b.gemm(must(x), must(y), { transposeLeft, transposeRight, alpha: 1.5, added: must(z) }),
    })),
  ),
  Reshape: [{ shapes: [[2, 6]], build: (b, [x]) => b.reshape(must(x), [3, 4]) }],
  Transpose: [{ shapes: [[2, 3, 4]], build: (b, [x]) => b.transpose(must(x), [2, 0, 1]) }],
  Expand: [{ shapes: [[2, 1]], build: (b, [x]) => b.expand(must(x), [3, 2, 4]) }],
  Concat: [
    { shapes: [[2, 3, 2], [2, 1, 2]], build: (b, [x, y]) => b.concat([must(x), must(y)], 1, 4) },
    { shapes: [[2], [3], [1]], build: (b, [x, y, z]) => b.concat([must(x), must(y), must(z)], 0, 6) },
  ],
  Slice: [
    { shapes: [[2, 5, 2]], build: (b, [x]) => b.slice(must(x), 1, 1, 4) },
    { shapes: [[4]], build: (b, [x]) => b.slice(must(x), 0, 0, 4) },
  ],
  Pad: [{ shapes: [[2, 3]], build: (b, [x]) => b.apply('Pad', [must(x)], { axis: 1, before: 2, after: 1 }) }],
  ReduceSum: [{ shapes: [[2, 3, 2]], build: (b, [x]) => b.reduceSum(must(x), [0, 2]) }],
  ReduceMean: [{ shapes: [[2, 3, 2]], build: (b, [x]) => b.reduceMean(must(x), [2]) }],
  ReduceLogSumExp: [{ shapes: [[3, 4]], build: (b, [x]) => b.logSumExp(must(x)) }],
  Softmax: [{ shapes: [[2, 4]], build: (b, [x]) => b.softmax(must(x)) }],
  RmsNorm: [
    { shapes: [[2, 5], [5]], build: (b, [x, s]) => b.apply('RmsNorm', [must(x), must(s)], { epsilon: 1e-5 }) },
  ],
  LayerNorm: [
    { shapes: [[2, 5], [5], [5]], build: (b, [x, s, t]) => b.apply('LayerNorm', [must(x), must(s), must(t)], { epsilon: 1e-5 }) },
    { shapes: [[2, 5]], build: (b, [x]) => b.apply('LayerNorm', [must(x)], { epsilon: 1e-5 }) },
  ],
  RotaryEmbedding: [
    {
      shapes: [[1, 2, 3, 4]],
      type: 'float32',
      build: (b, [x]) => {
        const angles = Array.from({ length: 10 }, (_, index) => 0.3 + 0.7 * index);
        const cosines = b.constant('cosines', [5, 2], angles.map(Math.cos));
        const sines = b.constant('sines', [5, 2], angles.map(Math.sin));
        return b.apply('RotaryEmbedding', [must(x), b.constant('position', [1], [2], 'int64'), cosines, sines]);
      },
    },
  ],
  GatherElements: [
    {
      shapes: [[3, 4]],
      build: (b, [x]) => b.apply('GatherElements', [must(x), b.constant('index', [3, 1], [2, 0, 3], 'int64')]),
    },
  ],
};

function must<Item>(item: Item | undefined): Item {
  if (item === undefined) throw new Error('the case has too few inputs');
  return item;
}
