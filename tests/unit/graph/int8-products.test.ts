import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../main/engine/graph/builder';
import { int8Names, withInt8Products } from '../../../main/engine/graph/passes/int8-products';
import { Executor } from '../../../main/engine/execution/executor';
import { float32, float32Data, Session, type RuntimeTensor } from '../../../main/engine/runtime/session';
import { Random } from '../../../main/engine/support/random';

const [ROWS, INNER, COLUMNS] = [5, 70, 33];

/** X W + (X W) V: one product whose matrix may be replaced, and one whose may not. */
function twoProducts() {
  const builder = new GraphBuilder();
  const first = builder.gemm(builder.input('x', [ROWS, INNER]), builder.input('w', [INNER, COLUMNS]), { name: 'first' });
  const second = builder.gemm(first, builder.input('v', [COLUMNS, COLUMNS]), { transposeRight: true, added: first, name: 'second' });
  return builder.build('products', [second]);
}

describe('products in 8 bits', () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
  });
  afterAll(() => executor.dispose());

  const numbers = ({ values, scales }: { values: RuntimeTensor; scales: RuntimeTensor }): { values: number[]; scales: number[] } => ({
    values: Array.from(values.data, Number),
    scales: Array.from(scales.data, Number),
  });
  const random = Random.fromSeed(1);
  const filled = (count: number): Float32Array => Float32Array.from({ length: count }, () => random.nextNormal());

  it('replaces plain products with the named matrices alone, and drops inputs that nothing needs any more', () => {
    const graph = withInt8Products(twoProducts(), new Set(['w', 'v']));
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Int8Product', 'Gemm']);
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x', 'v', 'w.int8', 'w.int8.scales']);
    expect(int8Names('w')).toEqual({ values: 'w.int8', scales: 'w.int8.scales' });
  });

  it('equals the product of the rounded numbers, rows of very different sizes and of zeros included', async () => {
    const builder = new GraphBuilder();
    const product = builder.apply(
      'Int8Product',
      [builder.input('x', [ROWS, INNER]), builder.input('w', [INNER, COLUMNS], 'int8'), builder.input('s', [COLUMNS])],
      {},
      'y',
    );
    const session = await Session.create(builder.build('int8', [product]), { threads: 1 });
    const x = filled(ROWS * INNER).map((value, at) => value * ([1, 1e-6, 0, 1e6, 30][Math.floor(at / INNER)] ?? 1));
    const rounded = await executor.roundTo8Bits({ shape: [INNER, COLUMNS], data: filled(INNER * COLUMNS) });
    const { values, scales } = numbers(rounded);
    const feeds = new Map([['x', float32(x, [ROWS, INNER])], ['w', rounded.values], ['s', rounded.scales]]);
    const result = float32Data((await session.run(feeds)).get('y'), 'y');
    await session.dispose();
    for (let row = 0; row < ROWS; row++) {
      const own = x.subarray(row * INNER, (row + 1) * INNER);
      const step = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
      for (let column = 0; column < COLUMNS; column++) {
        let [sum, slack] = [0, 0];
        own.forEach((value, at) => {
          const weight = (values[at * COLUMNS + column] ?? 0) * (scales[column] ?? 0);
          sum += (step === 0 ? 0 : Math.round(value / step) * step) * weight;
          // A quotient beside one half may be rounded either way.
          slack += step === 0 || Math.abs(Math.abs((value / step) % 1) - 0.5) > 1e-4 ? 0 : step * Math.abs(weight);
        });
        const size = step * 127 * 127 * (scales[column] ?? 0);
        expect(Math.abs((result[row * COLUMNS + column] ?? Number.NaN) - sum)).toBeLessThanOrEqual(slack + 1e-5 * size);
      }
    }
  });

  it('rounds each column by its own largest number, and a column of zeros to zeros', async () => {
    const { values, scales } = numbers(await executor.roundTo8Bits({ shape: [2, 3], data: Float32Array.from([1, -200, 0, -0.25, 60, 0]) }));
    expect(values).toEqual([127, -127, 0, -32, 38, 0]);
    for (const [index, size] of [1, 200, 0].entries()) expect(127 * (scales[index] ?? Number.NaN)).toBeCloseTo(size, 4);
  });
});
