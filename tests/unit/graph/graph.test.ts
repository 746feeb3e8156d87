import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../main/engine/graph/builder';
import { bindDims, divideDim, evaluateDim, multiplyDims } from '../../../main/engine/graph/dims';
import { extractGraph } from '../../../main/engine/graph/extract';
import { verifyGraph } from '../../../main/engine/graph/verify';
import { float32, Session } from '../../../main/engine/runtime/session';

describe('dimensions', () => {
  it('multiply and divide as products of symbols', () => {
    expect(multiplyDims('T', 2, 'B', 3)).toBe('6*B*T');
    expect(multiplyDims('6*B*T', 'K')).toBe('6*B*K*T');
    expect(divideDim('6*B*T', '2*T')).toBe('3*B');
    expect(divideDim('6*B*T', 4)).toBeNull();
    expect(divideDim('B', 'T')).toBeNull();
    expect(divideDim('T', 'T')).toBe(1);
  });

  it('are bound from the shapes of inputs, products by division', () => {
    const bindings = bindDims([
      { name: 'x', declared: ['B*T', 'C'], actual: [12, 5] },
      { name: 'mask', declared: ['T', 'T'], actual: [4, 4] },
    ]);
    expect(evaluateDim('2*B*C', bindings)).toBe(30);
  });

  it('refuse shapes that contradict each other, naming the tensor', () => {
    expect(() => bindDims([{ name: 'mask', declared: ['T', 'T'], actual: [4, 5] }])).toThrow(/mask has shape \[4, 5\]/);
  });
});

describe('graphs', () => {
  it('are refused where shapes do not fit, naming the operator', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', [2, 3]);
    expect(() => builder.matmul(x, x)).toThrow(/MatMul expects .* found \[2, 3\] and \[2, 3\]/);
  });

  it('are verified: a value used before it is made is a fault', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', [2]);
    const sum = builder.add(x, x);
    const graph = builder.build('g', [builder.multiply(sum, sum)]);
    expect(() => verifyGraph({ ...graph, nodes: [...graph.nodes].reverse() })).toThrow(/before it is made/);
  });

  it('give a part that recomputes, or takes what was saved', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N']);
    const double = builder.add(x, x);
    const graph = builder.build('g', [builder.multiply(double, double)]);
    const part = extractGraph(graph, 'part', graph.outputs, new Set([double]));
    expect(part.inputs.map((value) => value.name)).toEqual([double.name]);
    const session = await Session.create(part, { threads: 1 });
    const result = await session.run(new Map([[double.name, float32(Float32Array.of(3, 4), [2])]]));
    expect([...(result.get(graph.outputs[0]?.name ?? '')?.data ?? [])]).toEqual([9, 16]);
    await session.dispose();
  });

  it('say which input is missing when they run', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N']);
    const session = await Session.create(builder.build('g', [builder.add(x, x)]), { threads: 1 });
    await expect(session.run(new Map())).rejects.toThrow(/was not given x/);
    await session.dispose();
  });
});
