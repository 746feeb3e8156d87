/** Cases in which a device may be wrong though it is right on small tensors: all of the op table's, and larger ones. */
import type { GraphBuilder } from '../../main/engine/graph/builder';
import type { Value } from '../../main/engine/graph/graph';
import type { GradientCase } from './gradient-check';
import { opCases } from './op-cases';

const [ROWS, INNER, COLUMNS] = [35, 70, 45];

/**
 * Sizes beside those of the tiles and workgroups into which shaders cut their work (powers of two), rows longer than
 * one workgroup, stacks that broadcast, and values that are large or small.
 */
const largeCases: Readonly<Record<string, GradientCase>> = {
  'MatMul that broadcasts': { shapes: [[2, 3, 33, 20], [3, 20, 5]], build: (b, [x, y]) => b.matmul(must(x), must(y)) },
  // Their gradients are the forms in which one operand is transposed.
  Gemm: { shapes: [[ROWS, INNER], [INNER, COLUMNS], [ROWS, COLUMNS]], build: (b, [x, y, z]) => b.gemm(must(x), must(y), { alpha: 0.25, added: must(z) }) },
  'Gemm of transposed, over a long inner axis': {
    shapes: [[1500, 5], [7, 1500], [7]],
    build: (b, [x, y, z]) => b.gemm(must(x), must(y), { transposeLeft: true, transposeRight: true, alpha: 0.25, added: must(z) }),
  },
  'Softmax of long rows': { shapes: [[3, 1000]], build: (b, [x]) => b.softmax(must(x)) },
  'Softmax under a mask': { shapes: [[2, 3, 20, 20]], build: (b, [x]) => b.softmax(b.add(must(x), causal(b, 20))) },
  'ReduceLogSumExp of a vocabulary': { shapes: [[4, 5000]], build: (b, [x]) => b.logSumExp(must(x)) },
  'ReduceLogSumExp of large scores': { shapes: [[4, 100]], build: (b, [x]) => b.logSumExp(must(x)), domain: (sample) => 300 * sample },
  'ReduceSum over rows': { shapes: [[1000, 3]], build: (b, [x]) => b.reduceSum(must(x), [0]) },
  'ReduceSum over the middle': { shapes: [[3, 300, 5]], build: (b, [x]) => b.reduceSum(must(x), [1]) },
  'ReduceMean of long rows': { shapes: [[5, 3000]], build: (b, [x]) => b.reduceMean(must(x), [1]) },
  'RmsNorm of long rows': { shapes: [[9, 577], [577]], build: (b, [x, s]) => norm(b, x, s) },
  'RmsNorm of large numbers': { shapes: [[2, 3, 64], [64]], build: (b, [x, s]) => norm(b, x, s), domain: (sample) => 1e4 * sample },
  'RmsNorm of small numbers': { shapes: [[2, 3, 64], [64]], build: (b, [x, s]) => norm(b, x, s), domain: (sample) => 1e-4 * sample },
  'RotaryEmbedding in the middle of a text': {
    shapes: [[2, 3, 21, 16]],
    build: (b, [x]) => {
      const angles = Array.from({ length: 40 * 8 }, (_, index) => 0.05 * index);
      const cosines = b.constant('cosines', [40, 8], angles.map(Math.cos));
      const sines = b.constant('sines', [40, 8], angles.map(Math.sin));
      return b.apply('RotaryEmbedding', [must(x), b.constant('position', [1], [17], 'int64'), cosines, sines]);
    },
  },
  'GatherElements of a vocabulary': {
    shapes: [[50, 1001]],
    build: (b, [x]) => {
      const picked = Array.from({ length: 50 }, (_, row) => (row * 37) % 1001);
      return b.apply('GatherElements', [must(x), b.constant('index', [50, 1], picked, 'int64')]);
    },
  },
  'Transpose of heads': { shapes: [[2, 21, 3, 16]], build: (b, [x]) => b.transpose(must(x), [0, 2, 1, 3]) },
  'Expand of a column': { shapes: [[33, 1]], build: (b, [x]) => b.expand(must(x), [5, 33, 70]) },
  'Silu and Sigmoid far from zero': { shapes: [[300]], build: (b, [x]) => b.multiply(b.apply('Silu', [must(x)]), b.sigmoid(must(x))), domain: (sample) => 60 * sample },
  'Exp far below zero': { shapes: [[300]], build: (b, [x]) => b.exp(must(x)), domain: (sample) => -80 * Math.abs(sample) },
  'Add of a vector': { shapes: [[ROWS, INNER], [INNER]], build: (b, [x, y]) => b.add(must(x), must(y)) },
  'Mul by a column': { shapes: [[3, ROWS, INNER], [ROWS, 1]], build: (b, [x, y]) => b.multiply(must(x), must(y)) },
  'Slice and join': {
    shapes: [[2, 40, 7]],
    build: (b, [x]) => b.concat([b.slice(must(x), 1, 25, 40), b.slice(must(x), 1, 0, 25)], 1, 40),
  },
};

/** By name: every case of the op table, and the larger ones. */
export const deviceCases: Readonly<Record<string, GradientCase>> = {
  ...Object.fromEntries(Object.entries(opCases).flatMap(([op, list]) => list.map((test, index) => [`${op}, case ${index + 1}`, test]))),
  ...largeCases,
};

function norm(builder: GraphBuilder, input: Value | undefined, scale: Value | undefined): Value {
  return builder.apply('RmsNorm', [must(input), must(scale)], { epsilon: 1e-5 });
}

function causal(builder: GraphBuilder, length: number): Value {
  const seen = Array.from({ length: length * length }, (_, index) => (index % length > Math.floor(index / length) ? -1e9 : 0));
  return builder.constant('mask', [length, length], seen);
}

function must<Item>(item: Item | undefined): Item {
  if (item === undefined) throw new Error('the case has too few inputs');
  return item;
}
