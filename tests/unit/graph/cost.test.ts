/** Arithmetic and memory of graphs against examples worked out by hand. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../main/engine/graph/builder';
import { graphFlops, peakLiveBytes } from '../../../main/engine/graph/cost';
import type { Dim } from '../../../main/engine/graph/dims';
import type { Value } from '../../../main/engine/graph/graph';
import { opNames, opRule } from '../../../main/engine/graph/ops/table';

const sizes = new Map([['N', 10], ['C', 4], ['F', 6]]);

/** Operations of a graph with one operator. */
function flopsOf(shapes: readonly (readonly Dim[])[], make: (builder: GraphBuilder, ...inputs: Value[]) => Value): number {
  const builder = new GraphBuilder();
  const result = make(builder, ...shapes.map((shape, index) => builder.input(`x${index}`, shape)));
  return graphFlops(builder.build('one', [result]), sizes);
}

describe('the arithmetic of a node', () => {
  it('is two for each multiply-add of a matrix product', () => {
    expect(flopsOf([['N', 'C'], ['C', 'F']], (b, x = nothing(), y = nothing()) => b.matmul(x, y))).toBe(2 * 10 * 4 * 6);
    expect(flopsOf([[3, 'N', 'C'], ['C', 'F']], (b, x = nothing(), y = nothing()) => b.matmul(x, y))).toBe(3 * 2 * 10 * 4 * 6);
  });

  it('counts the scale and the summand of a Gemm beside its products, transposed or not', () => {
    expect(flopsOf([['C', 'N'], ['F', 'C']], (b, x = nothing(), y = nothing()) => b.gemm(x, y, { transposeLeft: true, transposeRight: true }))).toBe(480);
    expect(flopsOf([['N', 'C'], ['C', 'F'], ['F']], (b, x = nothing(), y = nothing(), z = nothing()) => b.gemm(x, y, { alpha: 2, added: z }))).toBe(480 + 60 + 60);
  });

  it('is one an element for sums, products and functions, after broadcasting', () => {
    expect(flopsOf([['N', 1], ['C']], (b, x = nothing(), y = nothing()) => b.add(x, y))).toBe(40);
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.exp(x))).toBe(40);
  });

  it('counts what a reduction reads, and the quotients of a mean', () => {
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.reduceSum(x, [1]))).toBe(40);
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.reduceMean(x, [1]))).toBe(50);
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.logSumExp(x))).toBe(4 * 40 + 2 * 10);
  });

  it('counts each step of composed operators', () => {
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.softmax(x))).toBe(5 * 40);
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.apply('Silu', [x]))).toBe(2 * 40);
    expect(flopsOf([['N', 'C'], ['C']], (b, x = nothing(), s = nothing()) => b.apply('RmsNorm', [x, s], { epsilon: 1e-5 }))).toBe(4 * 40 + 4 * 10);
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.apply('LayerNorm', [x], { epsilon: 1e-5 }))).toBe(7 * 40 + 5 * 10);
    expect(flopsOf([['N', 'C']], (b, x = nothing()) => b.apply('Gelu', [x], { tanh: 1 }))).toBe(8 * 40);
  });

  it('is nothing where numbers are only moved', () => {
    const free = opNames.filter((op) => opRule(op).cost === undefined);
    expect(free.sort()).toEqual(['Cast', 'Concat', 'Expand', 'GatherElements', 'Pad', 'Reshape', 'ScatterElements', 'Slice', 'Transpose']);
  });
});

describe('the memory of inner values', () => {
  it('is that of the values alive at once; inputs and outputs are not counted', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 'C']);
    const w = builder.input('w', ['C', 'F']);
    const first = builder.matmul(x, w);
    const second = builder.matmul(x, w);
    expect(peakLiveBytes(builder.build('g', [first, second]), sizes)).toBe(0);
    const graph = builder.build('g', [builder.matmul(builder.transpose(first, [1, 0]), second)]);
    // 240 bytes each: the first product is given up once it is transposed, and only then is the second made.
    expect(peakLiveBytes(graph, sizes)).toBe(2 * 240);
  });

  it('is given up after the last use', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N']);
    const chain = builder.sqrt(builder.exp(builder.negate(x)));
    expect(peakLiveBytes(builder.build('g', [builder.sqrt(chain)]), sizes)).toBe(2 * 40);
    const again = new GraphBuilder();
    const y = again.exp(again.input('x', ['N']));
    const total = again.add(again.negate(y), y);
    expect(peakLiveBytes(again.build('g', [again.sqrt(total)]), sizes)).toBe(3 * 40);
  });

  it('lasts as long as any view of it', () => {
    const builder = new GraphBuilder();
    const made = builder.exp(builder.input('x', ['N', 'C']));
    const view = builder.reshape(made, ['C', 'N']);
    const other = builder.transpose(view, [1, 0]);
    const graph = builder.build('g', [builder.matmul(other, view)]);
    expect(peakLiveBytes(graph, sizes)).toBe(2 * 160);
  });

  it('counts a view of an input as nothing', () => {
    const builder = new GraphBuilder();
    const view = builder.reshape(builder.input('x', ['N', 'C']), ['C', 'N']);
    expect(peakLiveBytes(builder.build('g', [builder.exp(view)]), sizes)).toBe(0);
  });

  it('counts what an operator holds only while it works', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 'C']);
    expect(peakLiveBytes(builder.build('g', [builder.logSumExp(x)]), sizes)).toBe(2 * 160);
  });
});

function nothing(): never {
  throw new Error('the case has too few inputs');
}
