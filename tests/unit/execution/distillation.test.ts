import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdapter } from '../../../main/engine/execution/adapter';
import { Executor } from '../../../main/engine/execution/executor';
import { loadModel, type LoadedModel } from '../../../main/engine/execution/loaded-model';
import { LINEAR_ROLES } from '../../../main/engine/model/config';
import { Random } from '../../../main/engine/support/random';
import { flattenGradients, LoraGradients } from '../../../main/engine/training/lora-gradients';
import { LoraTrainer } from '../../../main/engine/training/trainer';
import { tinyConfig, tinyView } from '../../support/tiny-model';

const ROWS = 5;
const blocks = [0, 1].map((row) => Int32Array.from({ length: 12 }, (_, at) => (row * 7 + at * (row + 3)) % 48));

describe('learning from a teacher', () => {
  let executor: Executor;
  let student: LoadedModel;
  let teacher: LoadedModel;
  let hidden: Float32Array;
  let taught: Float32Array;
  const labels = [3, 1, 40, 7, 11];
  const weights = Float32Array.of(0.5, 1, 0.25, 0, 2);
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    student = await loadModel(tinyView(tinyConfig(), 5));
    // Other layers under the same head.
    teacher = { ...student, layers: (await loadModel(tinyView(tinyConfig(), 6))).layers };
    const random = Random.fromSeed(3);
    const stream = (): Float32Array => Float32Array.from({ length: ROWS * student.config.hidden }, () => random.nextNormal());
    [hidden, taught] = [stream(), stream()];
  });
  afterAll(() => executor.dispose());

  /** Logarithms of the probabilities of each row, in float64. */
  function logProbabilities(logits: Float32Array): number[][] {
    const { vocabulary } = student.config;
    return Array.from({ length: logits.length / vocabulary }, (_, row) => {
      const values = [...logits.subarray(row * vocabulary, (row + 1) * vocabulary)];
      const largest = Math.max(...values);
      const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
      return values.map((value) => value - largest - Math.log(sum));
    });
  }

  /** Of the same rows by definition: sum over rows of weight * -sum over words of target * log p. */
  async function lossOf(rows: Float32Array, share: number): Promise<number> {
    const theirs = logProbabilities(await executor.logits(student, taught));
    const ours = logProbabilities(await executor.logits(student, rows));
    return ours.reduce((total, words, row) => {
      const loss = words.reduce((sum, logarithm, word) => sum - ((word === labels[row] ? 1 - share : 0) + share * Math.exp(theirs[row]?.[word] ?? 0)) * logarithm, 0);
      return total + (weights[row] ?? 0) * loss;
    }, 0);
  }

  it.each([0, 0.3, 1])('gives the gradient of the mixed loss, a share of %s from the teacher, as finite differences do', async (share) => {
    const { losses, gradient } = await executor.lossGradient(student, hidden, labels, weights, { teacher: { hidden: taught, share } });
    const plain = await executor.lossGradient(student, hidden, labels, weights);
    expect([...losses]).toEqual([...plain.losses]);
    if (share === 0) gradient.forEach((value, at) => { expect(value).toBeCloseTo(plain.gradient[at] ?? Number.NaN, 6); });
    const step = 1e-2;
    for (const at of [0, 1, student.config.hidden, 2 * student.config.hidden + 3, 4 * student.config.hidden + 1]) {
      const [above, below] = [hidden.slice(), hidden.slice()];
      above[at] = (above[at] ?? 0) + step;
      below[at] = (below[at] ?? 0) - step;
      const difference = ((await lossOf(above, share)) - (await lossOf(below, share))) / (2 * step);
      expect(Math.abs(difference - (gradient[at] ?? Number.NaN)), `element ${at}`).toBeLessThan(2e-3 + 1e-2 * Math.abs(difference));
    }
  });

  it('leaves a model that is its own teacher as it is', async () => {
    const adapter = createAdapter(student.config, { rank: 2, alpha: 4, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
    const own = await new LoraGradients(executor, student, adapter, { teacher: { model: student, share: 1 } }).compute(blocks);
    const plain = await new LoraGradients(executor, student, adapter).compute(blocks);
    const norm = (lists: readonly Float32Array[]): number => Math.sqrt(lists.reduce((sum, list) => sum + list.reduce((all, value) => all + value * value, 0), 0));
    expect(norm(flattenGradients(adapter, own))).toBeLessThan(1e-5 * norm(flattenGradients(adapter, plain)));
    expect(own.loss).toBeCloseTo(plain.loss, 6);
  });

  it('brings a model nearer to its teacher, in one batch or in parts', async () => {
    const apart = async (microBatch: number): Promise<number[]> => {
      const adapter = createAdapter(student.config, { rank: 4, alpha: 8, targets: LINEAR_ROLES, random: Random.fromSeed(1) });
      const trainer = new LoraTrainer(executor, student, adapter, { microBatch, teacher: { model: teacher, share: 1 } });
      const distances: number[] = [];
      for (let step = 0; step < 12; step++) {
        const shape = { batch: 2, length: 12 };
        const ids = Int32Array.from(blocks.flatMap((block) => [...block]));
        const run = (model: LoadedModel, options = {}): Promise<Float32Array> => executor.forwardBlocks(model, executor.embed(model, ids, shape), shape, options);
        const [ours, theirs] = [logProbabilities(await executor.logits(student, await run(student, { adapter }))), logProbabilities(await executor.logits(teacher, await run(teacher)))];
        distances.push(theirs.reduce((sum, words, row) => sum + words.reduce((all, logarithm, word) => all + Math.exp(logarithm) * (logarithm - (ours[row]?.[word] ?? 0)), 0), 0));
        await trainer.step(blocks, 1e-2);
      }
      return distances;
    };
    const [whole, parts] = [await apart(2), await apart(1)];
    expect(whole.at(-1)).toBeLessThan(0.9 * (whole[0] ?? 0));
    whole.forEach((distance, step) => { expect(parts[step]).toBeCloseTo(distance, 1); });
  });
});
