import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { Executor } from '../../main/engine/execution/executor';
import type { LoraAdapter } from '../../main/engine/execution/adapter';
import { loadModel, type LoadedModel } from '../../main/engine/execution/loaded-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { linearRoles, linearShape } from '../../main/engine/model/config';
import { LoraGradients } from '../../main/engine/training/lora-gradients';

const folder = path.join(import.meta.dirname, 'data', 'families');
const goldenSchema = v.object({
  ids: v.array(v.number()),
  last: v.array(v.number()),
  norms: v.array(v.number()),
  /** By layer and linear (`0.q`): product with cos(0.7 n), and norm, of the gradients of A and of B. */
  gradients: v.optional(v.record(v.string(), v.tuple([v.number(), v.number(), v.number(), v.number()]))),
});
type Golden = v.InferOutput<typeof goldenSchema>;

const names = readdirSync(folder);

/** Float32 sums in another order, through two layers, at logits of a few units. */
const TOLERANCE = 1e-4;

describe('every family computes what transformers computes (make_families.py)', () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
  });
  afterAll(() => executor.dispose());

  it.each(names)('%s', async (name) => {
    const { golden, model } = await open(name);
    const logits = await computeLogits(executor, model, golden.ids);
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

  // Families with Llama's blocks have their goldens in training.test.ts.
  it.each(names.filter((name) => readFileSync(path.join(folder, name, 'golden.json'), 'utf8').includes('gradients')))('%s, gradients of LoRA beside all linears', async (name) => {
    const { golden, model } = await open(name);
    const { gradients = {} } = golden;
    const adapter = waves(model, gradients);
    const { layers } = await new LoraGradients(executor, model, adapter).compute([golden.ids]);
    const whole = Math.hypot(...Object.values(gradients).flatMap(([, a, , b]) => [a, b]));
    for (const [layer, own] of layers.entries()) {
      expect([...own.keys()].map((role) => `${layer}.${role}`).sort()).toEqual(Object.keys(gradients).filter((key) => key.startsWith(`${layer}.`)).sort());
      for (const [role, { a, b }] of own) {
        const found = [a, b].flatMap((gradient) => [gradient.reduce((sum, value, at) => sum + value * Math.cos(0.7 * at), 0), Math.hypot(...gradient)]);
        const expected = gradients[`${layer}.${role}`] ?? [];
        found.forEach((value, index) => {
          expect(Math.abs(value - (expected[index] ?? Number.NaN)) <= TOLERANCE * whole, `${layer}.${role}, number ${index}: ${value}`).toBe(true);
        });
      }
    }
  });
});

async function open(name: string): Promise<{ golden: Golden; model: LoadedModel }> {
  const golden = v.parse(goldenSchema, JSON.parse(await readFile(path.join(folder, name, 'golden.json'), 'utf8')));
  const checkpoint = await openCheckpoint(path.join(folder, name));
  try {
    return { golden, model: await loadModel(checkpoint) };
  } finally {
    await checkpoint.close();
  }
}

/** The factors of make_families.py: sines and cosines, shifted by the place of a linear among all, in the order of their keys. */
function waves(model: LoadedModel, gradients: NonNullable<Golden['gradients']>): LoraAdapter {
  const rank = 2;
  const keys = Object.keys(gradients).sort();
  const targets = linearRoles(model.config);
  const layers = model.config.layers.map((shape, layer) => {
    const factors = targets.map((role) => {
      const [out, width] = linearShape(model.config, shape, role);
      const place = keys.indexOf(`${layer}.${role}`);
      const a = Float32Array.from({ length: rank * width }, (_, at) => 0.3 * Math.sin(1 + place + at));
      const b = Float32Array.from({ length: out * rank }, (_, at) => 0.2 * Math.cos(2 + place + at));
      return [role, { a: { shape: [rank, width], data: a }, b: { shape: [out, rank], data: b } }] as const;
    });
    return new Map(factors);
  });
  return { rank, scale: 2, targets, layers };
}
