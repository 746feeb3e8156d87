import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoraAdapter, LoraFactors } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { streamModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import type { LinearRole } from '../../main/engine/model/config';
import { flattenFactors, flattenGradients, LoraGradients } from '../../main/engine/training/lora-gradients';
import { LoraTrainer } from '../../main/engine/training/trainer';
import { expectSame, filledAdapter, flatCopy, relativeDistance } from '../support/compare-gradients';
import { EXAMPLE_MODEL, loadExample } from '../support/example-model';

const text = (start: number, length: number): number[] => Array.from({ length }, (_, at) => 259 + ((start * 31 + at * at * 7 + at) % 240));

describe('training computes the same', () => {
  let executor: Executor;
  let model: LoadedModel;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    model = await loadExample();
  });
  afterAll(() => executor.dispose());

  const makeAdapter = (): LoraAdapter => filledAdapter(model.config);

  it('with activations saved and computed again', async () => {
    const adapter = makeAdapter();
    const batch = [text(1, 128), text(2, 128)];
    const saved = await new LoraGradients(executor, model, adapter).compute(batch);
    const again = await new LoraGradients(executor, model, adapter, { recompute: true }).compute(batch);
    expect(again.loss).toBeCloseTo(saved.loss, 6);
    expectSame(flatCopy(adapter, again), flatCopy(adapter, saved));
  });

  it('with gradients that flow back in 8 bits, but for their rounding', async () => {
    const adapter = makeAdapter();
    const batch = [text(1, 128), text(2, 128)];
    for (const recompute of [false, true]) {
      const exact = await new LoraGradients(executor, model, adapter, { recompute }).compute(batch);
      const expected = flatCopy(adapter, exact);
      const rounded = await new LoraGradients(executor, model, adapter, { int8: true, recompute }).compute(batch);
      expect(rounded.loss).toBeCloseTo(exact.loss, 6);
      const apart = relativeDistance(flatCopy(adapter, rounded), expected);
      expect(apart > 1e-4 && apart < 0.08, `differs by ${apart}`).toBe(true);
      // What is rounded in a layer goes through all before it, so the last two are not.
      const last = (layers: typeof exact.layers): number[] => layers.slice(-2).flatMap((layer) => [...layer.values()].flatMap(({ a, b }) => [...a, ...b]));
      expect(last(rounded.layers)).toEqual(last(exact.layers));
    }
  });

  it('with rows of mixed lengths as with each row alone, weighted by what it predicts', async () => {
    const adapter = makeAdapter();
    const rows = [text(1, 40), text(2, 128), text(3, 7)];
    const gradients = new LoraGradients(executor, model, adapter);
    const together = await gradients.compute(rows);
    const all = flatCopy(adapter, together);
    const sums = all.map((values) => new Float32Array(values.length));
    for (const row of rows) {
      const alone = await gradients.compute([row]);
      flattenGradients(adapter, alone).forEach((values, index) => {
        values.forEach((value, at) => {
          const sum = sums[index];
          if (sum !== undefined) sum[at] = (sum[at] ?? 0) + (value * alone.predicted) / together.predicted;
        });
      });
    }
    expectSame(sums, all);
  });

  it('with documents packed into one sequence as with each apart', async () => {
    const adapter = makeAdapter();
    const separator = 2;
    const documents = [[...text(1, 50), separator], [...text(2, 30), separator], [...text(3, 46), separator]];
    const gradients = new LoraGradients(executor, model, adapter);
    const packed = await gradients.compute([documents.flat()], { separatorId: separator });
    const kept = flatCopy(adapter, packed);
    const apart = await gradients.compute(documents, { separatorId: separator });
    expect(documents.flat()).toHaveLength(129);
    expect(packed.predicted).toBe(apart.predicted);
    expect(packed.loss).toBeCloseTo(apart.loss, 5);
    expectSame(flatCopy(adapter, apart), kept);
  });

  it('with documents packed into a sequence with attention in blocks, the last of which is shorter, as with each apart', async () => {
    const adapter = makeAdapter();
    const separator = 2;
    const documents = [[...text(1, 500), separator], [...text(2, 21), separator], [...text(3, 577), separator]];
    const gradients = new LoraGradients(executor, model, adapter);
    const packed = await gradients.compute([documents.flat()], { separatorId: separator });
    const kept = flatCopy(adapter, packed);
    // Blocks of 128 queries: eight whole ones, and 77 left.
    expect(documents.flat()).toHaveLength(1101);
    const apart = await gradients.compute(documents, { separatorId: separator });
    expect(packed.predicted).toBe(apart.predicted);
    expect(packed.loss).toBeCloseTo(apart.loss, 5);
    expectSame(flatCopy(adapter, apart), kept);
  });

  it('with LoRA beside some linears as with LoRA beside all, of which the others do nothing', async () => {
    const batch = [text(1, 128), text(2, 30)];
    const sets: LinearRole[][] = [['q', 'v'], ['down'], ['o', 'gate'], ['k', 'up', 'down']];
    for (const targets of sets) {
      const all = makeAdapter();
      for (const layer of all.layers) for (const [role, { b }] of layer) if (!targets.includes(role)) b.data.fill(0);
      const some = { ...all, targets, layers: all.layers.map((layer) => new Map([...layer].filter(([role]) => targets.includes(role)))) };
      for (const recompute of [false, true]) {
        const expected = await new LoraGradients(executor, model, all, { recompute }).compute(batch);
        const found = await new LoraGradients(executor, model, some, { recompute }).compute(batch);
        expect(found.loss).toBeCloseTo(expected.loss, 6);
        // The order of `targets`, and of them alone, is that of the gradients.
        expectSame(flatCopy(some, found), flatCopy(some, expected));
      }
    }
  });

  it('with any rank as with a larger one of which the rest is zero', async () => {
    const batch = [text(1, 64), text(2, 30)];
    // 70 is more than the hidden width, and no multiple of anything that the runtime likes.
    for (const [rank, larger] of [[1, 2], [3, 8], [70, 80]] as const) {
      const small = filledAdapter(model.config, { rank });
      const large = widened(small, larger);
      const expected = await new LoraGradients(executor, model, large).compute(batch);
      const found = await new LoraGradients(executor, model, small).compute(batch);
      expect(found.loss).toBeCloseTo(expected.loss, 6);
      for (const [layer, roles] of found.layers.entries()) {
        for (const [role, own] of roles) {
          const wide = expected.layers[layer]?.get(role);
          const rowsOfB = (values: Float32Array | undefined, width: number): Float32Array =>
            Float32Array.from({ length: own.b.length }, (_, at) => values?.[Math.floor(at / rank) * width + (at % rank)] ?? Number.NaN);
          expectSame([own.a, own.b], [wide?.a.subarray(0, own.a.length) ?? new Float32Array(0), rowsOfB(wide?.b, larger)]);
        }
      }
    }
  });

  it('with a batch at once and added up from smaller ones', async () => {
    const batch = [text(1, 64), text(2, 20), text(3, 64), text(4, 33)];
    const after = async (microBatch: number): Promise<Float32Array[]> => {
      const adapter = makeAdapter();
      const trainer = new LoraTrainer(executor, model, adapter, { microBatch });
      for (let step = 0; step < 3; step++) await trainer.step(batch, 1e-3);
      return flattenFactors(adapter);
    };
    expectSame(await after(1), await after(4));
  });

  it('with layers read from the file each time as with all in memory', async () => {
    const adapter = makeAdapter();
    const batch = [text(1, 40)];
    const expected = flatCopy(adapter, await new LoraGradients(executor, model, adapter).compute(batch));
    const checkpoint = await openCheckpoint(EXAMPLE_MODEL);
    try {
      const streamed = await streamModel(checkpoint);
      expectSame(flatCopy(adapter, await new LoraGradients(executor, streamed, adapter, { recompute: true }).compute(batch)), expected);
      expectSame([await computeLogits(executor, streamed, text(5, 9))], [await computeLogits(executor, model, text(5, 9))]);
    } finally {
      await checkpoint.close();
    }
  });

  it('with attention in blocks as without, whether they divide the length or not', async () => {
    const { vocabulary } = model.config;
    for (const [length, whole] of [[128, 100], [1100, 1000]] as const) {
      const ids = text(5, length);
      const blocks = await computeLogits(executor, model, ids);
      const once = await computeLogits(executor, model, ids.slice(0, whole));
      expectSame([blocks.slice(0, whole * vocabulary)], [once]);
    }
  });
});

/** The same adapter with factors of a larger rank, what is more of them zero. */
function widened(adapter: LoraAdapter, rank: number): LoraAdapter {
  const layers = adapter.layers.map((layer) => {
    const factors = new Map<LinearRole, LoraFactors>();
    for (const [role, { a, b }] of layer) {
      const [[, width = 0], [out = 0]] = [a.shape, b.shape];
      const wide = { a: { shape: [rank, width], data: new Float32Array(rank * width) }, b: { shape: [out, rank], data: new Float32Array(out * rank) } };
      wide.a.data.set(a.data);
      for (let row = 0; row < out; row++) wide.b.data.set(b.data.subarray(row * adapter.rank, (row + 1) * adapter.rank), row * rank);
      factors.set(role, wide);
    }
    return factors;
  });
  return { ...adapter, rank, layers };
}
