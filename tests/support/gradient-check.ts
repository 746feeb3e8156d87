/** Compares the gradients of the op table with central finite differences, running both on ONNX Runtime. */
import { expect } from 'vitest';
import { differentiate } from '../../main/engine/graph/autodiff';
import { GraphBuilder } from '../../main/engine/graph/builder';
import type { Value } from '../../main/engine/graph/graph';
import { Session, type RuntimeTensor } from '../../main/engine/runtime/session';
import { Random } from '../../main/engine/support/random';

export interface GradientCase {
  readonly shapes: readonly (readonly number[])[];
  /** Builds the result of the case from inputs of the given shapes. */
  build(builder: GraphBuilder, inputs: readonly Value[]): Value;
  /** float32 for operators that the runtime has in no other type. */
  readonly type?: 'float32' | 'float64';
  /** Moves inputs into the operator's domain, e.g. to positive numbers. */
  readonly domain?: (sample: number) => number;
}

/** Fails unless every gradient equals the finite difference within `rtol` of the largest plus `atol`. */
export async function checkGradients(test: GradientCase): Promise<void> {
  const type = test.type ?? 'float64';
  // float64: step 1e-5 leaves a truncation error near 1e-10; float32 needs a coarse step against rounding.
  const { step, atol } = type === 'float64' ? { step: 1e-5, atol: 1e-8 } : { step: 1e-2, atol: 2e-3 };
  const builder = new GraphBuilder(type);
  const inputs = test.shapes.map((shape, index) => builder.input(`input${index}`, shape));
  const result = test.build(builder, inputs);
  const seed = builder.input('seed', result.shape);
  const forward = builder.build('case', [result]);
  const gradients = differentiate(builder, forward, new Map([[result, seed]]), inputs);
  const session = await Session.create(builder.build('case', [result, ...gradients.values()]), { threads: 1 });
  try {
    const random = Random.fromSeed(7);
    const sample = (): number => (test.domain ?? ((x) => x))(random.nextNormal());
    const make = (shape: readonly number[], next: () => number): number[] =>
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, next);
    const data = test.shapes.map((shape) => make(shape, sample));
    const seedShape = result.shape.map(Number);
    const seedData = make(seedShape, () => random.nextNormal());
    const run = (values: readonly (readonly number[])[]): Promise<Map<string, RuntimeTensor>> => {
      const feeds = new Map(values.map((value, index) => [`input${index}`, tensor(type, value, test.shapes[index] ?? [])]));
      return session.run(feeds.set('seed', tensor(type, seedData, seedShape)));
    };
    const loss = async (values: readonly (readonly number[])[]): Promise<number> => {
      const out = numbers((await run(values)).get(result.name));
      return out.reduce((sum, value, index) => sum + value * (seedData[index] ?? 0), 0);
    };
    const exact = await run(data);
    for (const [index, input] of inputs.entries()) {
      const gradient = numbers(exact.get(gradients.get(input)?.name ?? ''));
      expect(gradient.length).toBe(data[index]?.length);
      for (let position = 0; position < gradient.length; position++) {
        const nudged = (by: number): number[][] =>
          data.map((values, at) => values.map((value, p) => (at === index && p === position ? value + by : value)));
        const difference = ((await loss(nudged(step))) - (await loss(nudged(-step)))) / (2 * step);
        const error = Math.abs(difference - (gradient[position] ?? Number.NaN));
        expect(error <= atol + atol * 10 * Math.abs(difference), `input ${index}, element ${position}: ${gradient[position]} is not ${difference}`).toBe(true);
      }
    }
  } finally {
    await session.dispose();
  }
}

function tensor(type: 'float32' | 'float64', values: readonly number[], shape: readonly number[]): RuntimeTensor {
  return type === 'float64'
    ? { type, shape, data: Float64Array.from(values) }
    : { type, shape, data: Float32Array.from(values) };
}

function numbers(tensor: RuntimeTensor | undefined): number[] {
  if (tensor === undefined || tensor.type === 'int64') return [];
  return Array.from<number>(tensor.data);
}
