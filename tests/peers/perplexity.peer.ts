/**
 * Perplexities of SmolLM2-135M against figures that PyTorch gave for the same ids (float32, windows of 512), dense and
 * with the slices of LLM-Pruner's plan at 20%.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Executor } from '../../main/engine/execution/executor';
import { asView, loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { measurePerplexity } from '../../main/engine/evaluation/perplexity';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { slicedView } from '../../main/engine/pruning/sliced-view';
import { findUnitGroups } from '../../main/engine/pruning/units';

const dense = { 'wiki.valid': 25.4794, web_c4: 36.0602, code_py: 7.0058, war: 33.1539 };
const sliced = { web_c4: 61.1086, code_py: 18.2293 };

async function readGzip<Schema extends v.GenericSchema>(name: string, schema: Schema): Promise<v.InferOutput<Schema>> {
  const bytes = await readFile(path.join(import.meta.dirname, '..', 'data', 'smollm2', `${name}.json.gz`));
  return v.parse(schema, JSON.parse(gunzipSync(bytes).toString('utf8')));
}

describe('perplexities of SmolLM2 equal PyTorch to four digits', () => {
  let executor: Executor;
  let model: LoadedModel;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 2 });
    const checkpoint = await openCheckpoint(process.env['SHEAR_REAL_MODEL'] ?? '');
    model = await loadModel(checkpoint);
    await checkpoint.close();
  });
  afterAll(() => executor.dispose());

  const measure = async (of: LoadedModel, name: string): Promise<number> => {
    const ids = await readGzip(`${name}.ids`, v.array(v.number()));
    const { perplexity } = await measurePerplexity(executor, of, ids, { window: 512 });
    process.stdout.write(`${name}: ${perplexity}\n`);
    return perplexity;
  };

  it.each(Object.entries(dense))('dense, %s: %f', async (name, expected) => {
    expect((await measure(model, name)).toPrecision(4)).toBe(expected.toPrecision(4));
  });

  it.each(Object.entries(sliced))('sliced by another plan, %s: %f', async (name, expected) => {
    const mask = await readGzip('mask_llmpruner_20', v.object({ keep_groups: v.array(v.array(v.number())), keep_channels: v.array(v.array(v.number())) }));
    const groups = findUnitGroups(model.config);
    const plan = {
      groups: groups.map(({ layer, part, size }) => {
        const kept = (part === 'attention' ? mask.keep_groups : mask.keep_channels)[layer] ?? [];
        return { layer, part, size, kept, scores: [], locked: false };
      }),
    };
    expect((await measure(await loadModel(slicedView(asView(model), groups, plan)), name)).toPrecision(4)).toBe(expected.toPrecision(4));
  });
});
