/**
 * The operators of the op table against ONNX's own backend cases: each case's model is built anew from our operators
 * and must give the case's outputs. What our operators do not have is listed with the reason.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../main/engine/graph/builder';
import type { Value } from '../../main/engine/graph/graph';
import { opNames } from '../../main/engine/graph/ops/table';
import { int64, float32, Session, type RuntimeTensor } from '../../main/engine/runtime/session';
import { readOnnxCase, type CaseTensor, type OnnxCase } from '../support/onnx-case';

const FOLDER = join(import.meta.dirname, '../data/onnx-node');

/** Builds a case's outputs from its inputs, which are graph inputs by position. */
type Build = (builder: GraphBuilder, inputs: readonly Value[], test: OnnxCase) => readonly Value[];

/** How each of ONNX's operators is said with ours, and with which. */
const builds: Readonly<Record<string, { readonly ops: readonly string[]; readonly build: Build }>> = {
  ...Object.fromEntries(
    ['Add', 'Sub', 'Mul', 'Div', 'Neg', 'Exp', 'Sqrt', 'Sigmoid', 'Tanh', 'Erf', 'MatMul', 'Softmax'].map((op) => [
      op,
      { ops: [op], build: ((b, inputs) => [b.apply(op, inputs)]) satisfies Build },
    ]),
  ),
  Swish: { ops: ['Silu'], build: (b, inputs) => [b.apply('Silu', inputs)] },
  Gemm: {
    ops: ['Gemm'],
    build: (b, [x, y, added], test) => [
      b.gemm(must(x), must(y), {
        transposeLeft: number(test, 'transA', 0) === 1,
        transposeRight: number(test, 'transB', 0) === 1,
        alpha: number(test, 'alpha', 1),
        // Ours has no factor for the summand: it is multiplied before.
        ...(added && { added: test.attributes.has('beta') ? b.multiply(added, b.scalar(number(test, 'beta', 1))) : added }),
      }),
    ],
  },
  // Our shapes are resolved when a graph is made: the case's rules for 0 and -1 are in the shape of its output.
  Reshape: { ops: ['Reshape'], build: (b, [x], test) => [b.reshape(must(x), must(test.outputs[0]).shape)] },
  Expand: { ops: ['Expand'], build: (b, [x], test) => [b.expand(must(x), must(test.outputs[0]).shape)] },
  Transpose: {
    ops: ['Transpose'],
    build: (b, [x], test) => [b.transpose(must(x), list(test, 'perm') ?? must(x).shape.map((_, axis) => axis).reverse())],
  },
  Concat: {
    ops: ['Concat'],
    build: (b, inputs, test) => [b.concat(inputs, number(test, 'axis', 0), must(must(test.outputs[0]).shape.at(number(test, 'axis', 0))))],
  },
  Slice: {
    ops: ['Slice'],
    build: (b, [x], test) => {
      const [, starts, ends, axes] = test.inputs;
      const sliced = must(starts).values.reduce((value, start, index) => {
        const axis = axes?.values[index] ?? index;
        const size = Number(value.shape.at(axis));
        const position = (at: number): number => Math.min(size, at < 0 ? at + size : at);
        return b.slice(value, axis, position(start), position(must(ends).values[index] ?? size));
      }, must(x));
      return [sliced];
    },
  },
  Split: {
    ops: ['Slice'],
    build: (b, [x], test) => {
      const axis = number(test, 'axis', 0);
      const size = Number(must(x).shape[axis]) / test.outputs.length;
      return test.outputs.map((_, index) => b.slice(must(x), axis, index * size, (index + 1) * size));
    },
  },
  ReduceMean: {
    ops: ['ReduceMean'],
    build: (b, [x], test) => {
      const mean = b.reduceMean(must(x), must(test.inputs[1]).values);
      return [number(test, 'keepdims', 1) === 1 ? mean : b.reshape(mean, must(test.outputs[0]).shape)];
    },
  },
  RMSNormalization: {
    ops: ['RmsNorm'],
    build: (b, inputs, test) => [b.apply('RmsNorm', inputs, { epsilon: number(test, 'epsilon', 1e-5) })],
  },
  Gelu: { ops: ['Gelu'], build: (b, inputs, test) => [b.apply('Gelu', inputs, { tanh: test.attributes.get('approximate') === 'tanh' ? 1 : 0 })] },
  // The case's further outputs, mean and inverse deviation, are no results of ours: they are composed.
  LayerNormalization: {
    ops: ['LayerNorm'],
    build: (b, inputs, test) => {
      const [x] = inputs;
      const epsilon = number(test, 'epsilon', 1e-5);
      const mean = b.reduceMean(must(x), [-1]);
      const centred = b.subtract(must(x), mean);
      const variance = b.reduceMean(b.multiply(centred, centred), [-1]);
      return [b.apply('LayerNorm', inputs, { epsilon }), mean, b.reciprocal(b.sqrt(b.add(variance, b.scalar(epsilon))))];
    },
  },
  GatherElements: { ops: ['GatherElements'], build: (b, inputs) => [b.apply('GatherElements', inputs)] },
  // Ours counts positions up from one; the rows at the case's positions, sequence by sequence, are its tables.
  RotaryEmbedding: { ops: ['RotaryEmbedding'], build: buildRotary },
};

/** Cases of operators that we have, in a form that ours do not: by name, with the reason. */
const leftOut: Readonly<Record<string, string>> = {
  test_matmul_1d_1d: 'vectors: our MatMul takes matrices',
  test_matmul_1d_3d: 'vectors: our MatMul takes matrices',
  test_matmul_4d_1d: 'vectors: our MatMul takes matrices',
  test_softmax_axis_1: 'our Softmax is over the last axis',
  test_gather_elements_1: 'our GatherElements picks along the last axis',
  test_gather_elements_negative_indices: 'our GatherElements picks along the last axis',
  test_rotary_embedding_interleaved: 'our RotaryEmbedding rotates halves, not neighbours',
  test_rotary_embedding_with_rotary_dim: 'our RotaryEmbedding rotates the whole width of a head',
};

/** Operators of passes, which tests/unit/graph compares with the graphs that the passes change. */
const elsewhere = ['Int8Columns', 'Int8Product'];

/** Operators for which ONNX's cases at hand have nothing; the last tests compare them with numbers worked out by hand. */
const withoutCase = ['Reciprocal', 'ReduceSum', 'ReduceLogSumExp', 'ScatterElements', 'Pad', 'Cast'];

const names = (await readdir(FOLDER)).filter((name) => name.startsWith('test_'));
const cases = new Map(await Promise.all(names.map(async (name) => [name, await readOnnxCase(join(FOLDER, name))] as const)));

describe("ONNX's backend cases", () => {
  for (const [name, test] of cases) {
    const reason = leftOut[name];
    if (reason !== undefined) it.skip(`${name} (${reason})`);
    else it(name, () => check(test));
  }

  it('leave out only cases that are there', () => {
    expect(Object.keys(leftOut).filter((name) => !cases.has(name))).toEqual([]);
  });

  it('cover every operator of the table but those without a case', () => {
    const covered = [...cases].flatMap(([name, { op }]) => (leftOut[name] === undefined ? (builds[op]?.ops ?? []) : []));
    expect([...new Set([...covered, ...withoutCase, ...elsewhere])].sort()).toEqual([...opNames].sort());
    expect(withoutCase.filter((op) => covered.includes(op))).toEqual([]);
  });
});

describe('operators without a backend case', () => {
  const x: CaseTensor = { name: 'x', type: 'float32', shape: [2, 3], values: [1, 2, 4, -1, 0.5, -8] };
  const index: CaseTensor = { name: 'index', type: 'int64', shape: [2, 1], values: [2, 0] };
  const updates: CaseTensor = { name: 'updates', type: 'float32', shape: [2, 1], values: [7, 9] };
  const run = (inputs: readonly CaseTensor[], build: Build, shape: readonly number[], values: readonly number[]): Promise<void> =>
    compare({ op: '', attributes: new Map(), inputs, outputs: [{ name: 'y', type: 'float32', shape, values }] }, build);

  it('Reciprocal', () => run([x], (b, [v]) => [b.reciprocal(must(v))], [2, 3], [1, 0.5, 0.25, -1, 2, -0.125]));
  it('ReduceSum', async () => {
    await run([x], (b, [v]) => [b.reduceSum(must(v), [1])], [2, 1], [7, -8.5]);
    await run([x], (b, [v]) => [b.reduceSum(must(v), [0])], [1, 3], [0, 2.5, -4]);
  });
  it('ReduceLogSumExp, also of numbers whose exponentials are beyond float32', async () => {
    const large: CaseTensor = { ...x, values: [1000, 1000, 1000, -1000, -1000, -1000] };
    await run([large], (b, [v]) => [b.logSumExp(must(v))], [2, 1], [1000 + Math.log(3), -1000 + Math.log(3)]);
  });
  it('Cast, through a type that rounds', async () => {
    // 2049 lies between two float16 and goes to the even one; 65504 is the largest.
    const large: CaseTensor = { ...x, values: [2049, 2051, 1 / 3, 1e-8, 65504, -65519] };
    const values = [2048, 2052, 1365 / 4096, 0, 65504, -65504];
    await run([large], (b, [v]) => [b.apply('Cast', [b.apply('Cast', [must(v)], { to: 'float16' })], { to: 'float32' })], [2, 3], values);
    await run([large], (b, [v]) => [b.apply('Cast', [must(v)], { to: 'float32' })], [2, 3], large.values);
  });
  it('ScatterElements', () =>
    run([x, index, updates], (b, inputs) => [b.apply('ScatterElements', inputs)], [2, 3], [1, 2, 7, 9, 0.5, -8]));
  it('Pad', () =>
    run([x], (b, [v]) => [b.apply('Pad', [must(v)], { axis: 1, before: 2, after: 1 })], [2, 6], [0, 0, 1, 2, 4, 0, 0, 0, -1, 0.5, -8, 0]));
});

async function check(test: OnnxCase): Promise<void> {
  const found = builds[test.op];
  if (found === undefined) throw new Error(`nothing says how ${test.op} is built`);
  await compare(test, found.build);
}

/** Runs the case's graph and compares each output within ONNX's own tolerance, tightened to float32's. */
async function compare(test: OnnxCase, build: Build): Promise<void> {
  const builder = new GraphBuilder();
  const inputs = test.inputs.map(({ name, shape, type }) => builder.input(`given.${name}`, shape, type));
  const outputs = build(builder, inputs, test);
  const graph = builder.build('case', outputs);
  // Integer inputs that became attributes of ours stay inputs, which nobody reads.
  const session = await Session.create(graph, { threads: 1 });
  try {
    const results = await session.run(new Map(test.inputs.map((tensor) => [`given.${tensor.name}`, feed(tensor)])));
    expect(outputs.length).toBe(test.outputs.length);
    test.outputs.forEach((expected, index) => {
      const actual = results.get(outputs[index]?.name ?? '');
      expect(actual?.shape).toEqual(expected.shape);
      const values = actual?.type === 'float32' ? Array.from(actual.data) : [];
      expected.values.forEach((value, at) => {
        const error = Math.abs((values[at] ?? Number.NaN) - value);
        expect(error <= 1e-6 + 1e-5 * Math.abs(value), `element ${at}: ${values[at]} is not ${value}`).toBe(true);
      });
    });
  } finally {
    await session.dispose();
  }
}

function buildRotary(b: GraphBuilder, [x]: readonly Value[], { inputs, attributes, outputs }: OnnxCase): readonly Value[] {
  const [input, cosines, sines, positions] = inputs;
  const given = must(x);
  const heads = attributes.get('num_heads');
  const [batch = 1] = must(input).shape;
  const length = Number(given.shape.length === 3 ? given.shape[1] : given.shape[2]);
  const half = Number(must(cosines).shape.at(-1));
  // [B, T, H * D] as [B, H, T, D], as our blocks do it.
  const split = typeof heads === 'number' ? b.transpose(b.reshape(given, [batch, length, heads, 2 * half]), [0, 2, 1, 3]) : given;
  const rows = (table: CaseTensor, sequence: number): number[] =>
    Array.from({ length }, (_, at) => positions?.values[sequence * length + at] ?? sequence * length + at).flatMap((position) =>
      table.values.slice(position * half, (position + 1) * half),
    );
  const start = b.constant('start', [1], [0], 'int64');
  const rotated = Array.from({ length: batch }, (_, sequence) =>
    b.apply('RotaryEmbedding', [
      b.slice(split, 0, sequence, sequence + 1),
      start,
      b.constant(`cosines.${sequence}`, [length, half], rows(must(cosines), sequence)),
      b.constant(`sines.${sequence}`, [length, half], rows(must(sines), sequence)),
    ]),
  );
  const joined = b.concat(rotated, 0, batch);
  return [typeof heads === 'number' ? b.reshape(b.transpose(joined, [0, 2, 1, 3]), must(outputs[0]).shape) : joined];
}

function feed({ type, shape, values }: CaseTensor): RuntimeTensor {
  return type === 'int64' ? int64(values, shape) : float32(Float32Array.from(values), shape);
}

function number({ attributes }: OnnxCase, name: string, otherwise: number): number {
  const value = attributes.get(name) ?? otherwise;
  if (typeof value !== 'number') throw new Error(`${name} is not a number`);
  return value;
}

function list({ attributes }: OnnxCase, name: string): readonly number[] | undefined {
  const value = attributes.get(name);
  return typeof value === 'number' || typeof value === 'string' ? undefined : value;
}

function must<Item>(item: Item | undefined): Item {
  if (item === undefined) throw new Error('the case has too few inputs or outputs');
  return item;
}
