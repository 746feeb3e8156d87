import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoraAdapter } from '../../main/engine/execution/adapter';
import { Executor } from '../../main/engine/execution/executor';
import { streamModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
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
    const exact = await new LoraGradients(executor, model, adapter).compute(batch);
    const expected = flatCopy(adapter, exact);
    for (const recompute of [false, true]) {
      const rounded = await new LoraGradients(executor, model, adapter, { int8: true, recompute }).compute(batch);
      expect(rounded.loss).toBeCloseTo(exact.loss, 6);
      const apart = relativeDistance(flatCopy(adapter, rounded), expected);
      expect(apart > 1e-4 && apart < 0.08, `differs by ${apart}`).toBe(true);
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

  it('with attention in blocks as without', async () => {
    const ids = text(5, 128);
    const { vocabulary } = model.config;
    const blocks = await computeLogits(executor, model, ids);
    const whole = await computeLogits(executor, model, ids.slice(0, 100));
    expectSame([blocks.slice(0, 100 * vocabulary)], [whole]);
  });
});
