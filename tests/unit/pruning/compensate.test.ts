import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Executor } from '../../../main/engine/execution/executor';
import { asView, loadModel, type LoadedModel } from '../../../main/engine/execution/loaded-model';
import { compensate } from '../../../main/engine/pruning/compensate';
import type { PruningPlan } from '../../../main/engine/pruning/plan';
import { slicedView } from '../../../main/engine/pruning/sliced-view';
import { findUnitGroups } from '../../../main/engine/pruning/units';
import { Random } from '../../../main/engine/support/random';
import { tinyConfig, tinyView } from '../../support/tiny-model';

describe.each([
  { name: 'Llama', options: { biases: ['o', 'down', 'q'] } },
  { name: 'Gemma 2, which normalises what o and down give', options: { family: 'gemma2' } },
  { name: 'GPT-NeoX, whose feed-forward reads what attention reads', options: { family: 'gpt-neox', biases: ['q', 'k', 'v', 'o', 'up', 'down'] } },
] as const)('compensation of $name', ({ options: made }) => {
  let executor: Executor;
  let full: LoadedModel;
  const random = Random.fromSeed(2);
  const windows = Array.from({ length: 24 }, () => Int32Array.from({ length: 16 }, () => random.nextInteger(48)));
  const options = { windows: windows.slice(0, 20), batch: 8, ridge: 0.001, threads: 1 };
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    full = await loadModel(tinyView(tinyConfig(made), 5));
  });
  afterAll(() => executor.dispose());

  /** Without a key/value group in the first layer, and with two thirds of the channels. */
  function prune(): Promise<LoadedModel> {
    const groups = findUnitGroups(full.config);
    const plan: PruningPlan = {
      groups: groups.map(({ layer, part, size }) => {
        const kept = part === 'mlp' ? Math.round((2 * size) / 3) : layer === 0 ? Math.ceil(size / 2) : size;
        return { layer, part, size, kept: Array.from({ length: kept }, (_, unit) => unit), scores: [], locked: false };
      }),
    };
    return loadModel(slicedView(asView(full), groups, plan));
  }

  /** Mean square distance of the last stream from the full model's, on windows that nothing was fitted to. */
  async function distance(model: LoadedModel): Promise<number> {
    let sum = 0;
    for (const window of windows.slice(20)) {
      const shape = { batch: 1, length: window.length };
      const own = await executor.forwardBlocks(model, executor.embed(model, window), shape);
      const target = await executor.forwardBlocks(full, executor.embed(full, window), shape);
      own.forEach((value, at) => (sum += (value - (target[at] ?? Number.NaN)) ** 2));
    }
    return sum;
  }

  it('brings the stream of a smaller model nearer to the full one, also for texts that it has not seen', async () => {
    const small = await prune();
    const before = await distance(small);
    await compensate(executor, full, small, options);
    expect(await distance(small)).toBeLessThan(0.8 * before);
  });

  it('leaves a model of which nothing was removed as it is', async () => {
    const same = await loadModel(asView(full));
    await compensate(executor, full, same, options);
    full.layers.forEach(({ tensors }, layer) => {
      for (const [role, { data }] of tensors) {
        const own = same.layers[layer]?.tensors.get(role)?.data;
        data.forEach((value, at) => expect(Math.abs((own?.[at] ?? Number.NaN) - value)).toBeLessThan(1e-4));
      }
    });
  });

  it('stops when it is cancelled', async () => {
    const signal = AbortSignal.abort();
    await expect(compensate(executor, full, await prune(), { ...options, signal })).rejects.toMatchObject({ code: 'cancelled' });
  });
});
