import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { generate } from '../../main/engine/evaluation/generate';
import { measurePerplexity } from '../../main/engine/evaluation/perplexity';
import { Executor } from '../../main/engine/execution/executor';
import { asView, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { loadWritingModel } from '../../main/engine/execution/text-model';
import { loadExample } from '../support/example-model';

const referenceSchema = v.object({
  greedy: v.object({ prompt_ids: v.array(v.number()), steps: v.number(), ids: v.array(v.number()) }),
  prompt: v.object({ ids: v.array(v.number()), last_logits: v.array(v.number()), argmax_per_position: v.array(v.number()) }),
  perplexity: v.array(v.object({ ids: v.array(v.number()), mean_nll: v.number() })),
});

/** An independent float64 forward pass made these (tests/data/stories260K/README.md). */
async function readReference(): Promise<v.InferOutput<typeof referenceSchema>> {
  const file = path.join(import.meta.dirname, '..', 'data', 'stories260K', 'stories260K.reference.json');
  return v.parse(referenceSchema, JSON.parse(await readFile(file, 'utf8')));
}

describe('the example model does what the reference does', () => {
  let executor: Executor;
  let model: LoadedModel;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 2 });
    model = await loadExample();
  });
  afterAll(() => executor.dispose());

  it('writes the same 200 tokens greedily, whichever way its weights lie', async () => {
    const { greedy } = await readReference();
    expect(greedy.ids.length).toBeGreaterThanOrEqual(200);
    for (const writer of [model, await loadWritingModel(asView(model))]) {
      const { ids } = await generate(executor, writer, greedy.prompt_ids, { tokens: 200, seed: 0, temperature: 0, eosIds: [] });
      expect([...greedy.prompt_ids, ...ids].slice(0, greedy.ids.length)).toEqual(greedy.ids);
    }
  });

  it('gives the same logits after a prompt', async () => {
    const { prompt } = await readReference();
    const logits = await computeLogits(executor, model, prompt.ids);
    const last = logits.subarray(logits.length - model.config.vocabulary);
    prompt.last_logits.forEach((expected, index) => {
      // The reference is printed with six decimals; float32 sums differ by a few 1e-5 at logits near 17.
      expect(Math.abs(expected - (last[index] ?? Number.NaN)) <= 1e-4, `logit ${index}`).toBe(true);
    });
  });

  it('gives the same mean loss on both texts to 1e-4', async () => {
    for (const text of (await readReference()).perplexity) {
      const { nll } = await measurePerplexity(executor, model, text.ids, { window: text.ids.length });
      expect(Math.abs(nll - text.mean_nll)).toBeLessThan(1e-4);
    }
  });
});
