import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel } from '../../main/engine/execution/loaded-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';

const folder = path.join(import.meta.dirname, 'data', 'families');
const goldenSchema = v.object({ ids: v.array(v.number()), last: v.array(v.number()), norms: v.array(v.number()) });

/** Float32 sums in another order, through two layers, at logits of a few units. */
const TOLERANCE = 1e-4;

describe('every family computes what transformers computes (make_families.py)', () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
  });
  afterAll(() => executor.dispose());

  it.each(readdirSync(folder))('%s', async (name) => {
    const golden = v.parse(goldenSchema, JSON.parse(await readFile(path.join(folder, name, 'golden.json'), 'utf8')));
    const checkpoint = await openCheckpoint(path.join(folder, name));
    const logits = await computeLogits(executor, await loadModel(checkpoint), golden.ids);
    await checkpoint.close();
    const width = golden.last.length;
    golden.norms.forEach((norm, position) => {
      const own = Math.hypot(...logits.subarray(position * width, (position + 1) * width));
      expect(Math.abs(own - norm) <= TOLERANCE * norm, `position ${position}`).toBe(true);
    });
    golden.last.forEach((logit, index) => {
      const own = logits[(golden.ids.length - 1) * width + index] ?? Number.NaN;
      expect(Math.abs(own - logit) <= TOLERANCE, `logit ${index}`).toBe(true);
    });
  });
});
