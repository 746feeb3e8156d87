/** Repeats a golden LoRA training (tests/golden/make_training.py) with our engine and compares every step. */
import { expect } from 'vitest';
import type { LoraAdapter, LoraFactors } from '../../main/engine/execution/adapter';
import { INPUT_OF, type LinearInput } from '../../main/engine/execution/block-graph';
import { Executor } from '../../main/engine/execution/executor';
import { loadModel } from '../../main/engine/execution/loaded-model';
import { openSafetensors } from '../../main/engine/formats/safetensors/reader';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { LINEAR_ROLES, type LinearRole } from '../../main/engine/model/config';
import { float32, type RuntimeTensor } from '../../main/engine/runtime/session';
import { Adam } from '../../main/engine/training/adam';
import type { DropoutSource } from '../../main/engine/training/dropout';
import { flattenFactors, flattenGradients, LoraGradients, type BatchGradients, type GradientWay } from '../../main/engine/training/lora-gradients';

/** The bars: losses relative, gradients relative to the norm of all of them together. */
const LOSS_RTOL = 1e-4;
const GRADIENT_RTOL = 1e-3;

/** Fails where a loss or gradient, computed in the given way, differs; returns the largest differences found. */
export async function compareTraining(modelPath: string, goldenPath: string, way: GradientWay = {}): Promise<{ loss: number; gradient: number }> {
  const golden = await openSafetensors(goldenPath);
  const checkpoint = await openCheckpoint(modelPath);
  const executor = await Executor.create({ threads: 2 });
  try {
    const read: Read = async (name) => {
      const handle = golden.tensors.get(name);
      if (handle === undefined) throw new Error(`the golden has no ${name}`);
      return { shape: handle.shape, data: await handle.readFloat32() };
    };
    const setting = (name: string): number => Number(golden.metadata.get(name));
    const model = await loadModel(checkpoint);
    const layers = [];
    for (let layer = 0; layer < model.layers.length; layer++) {
      const factors = new Map<LinearRole, LoraFactors>();
      for (const role of LINEAR_ROLES) {
        factors.set(role, { a: await read(`factor.${layer}.${role}.a`), b: await read(`factor.${layer}.${role}.b`) });
      }
      layers.push(factors);
    }
    const adapter: LoraAdapter = { rank: setting('rank'), scale: setting('scale'), targets: LINEAR_ROLES, layers };
    const ids = await read('ids');
    const [steps = 0, batch = 0, length = 0] = ids.shape;
    const losses = (await read('losses')).data;
    const masks = setting('dropout') > 0 ? await readMasks(steps, model.layers.length, read) : [];
    const dropout: DropoutSource = { draw: () => masks.shift() ?? [] };
    const gradients = new LoraGradients(executor, model, adapter, { ...way, ...(masks.length > 0 && { dropout }) });
    const adam = new Adam(flattenFactors(adapter));
    let [worstLoss, worstGradient] = [0, 0];
    for (let step = 0; step < steps; step++) {
      const rows = Array.from({ length: batch }, (_, row) => ids.data.subarray((step * batch + row) * length, (step * batch + row + 1) * length));
      const result = await gradients.compute(rows);
      worstLoss = Math.max(worstLoss, Math.abs(result.loss / (losses[step] ?? 0) - 1));
      if (step === 0 || step === steps - 1) worstGradient = Math.max(worstGradient, await gradientDistance(result, step, read));
      adam.step(flattenGradients(adapter, result), setting('rate'));
    }
    expect(worstLoss <= LOSS_RTOL, `losses differ by ${worstLoss}`).toBe(true);
    expect(worstGradient <= GRADIENT_RTOL, `gradients differ by ${worstGradient}`).toBe(true);
    return { loss: worstLoss, gradient: worstGradient };
  } finally {
    await executor.dispose();
    await checkpoint.close();
    await golden.close();
  }
}

/** A tensor of the golden by its name. */
type Read = (name: string) => Promise<{ readonly shape: readonly number[]; readonly data: Float32Array }>;

/** Masks of dropout by step and layer. */
async function readMasks(steps: number, layers: number, read: Read): Promise<Map<LinearInput, RuntimeTensor>[][]> {
  const all: Map<LinearInput, RuntimeTensor>[][] = [];
  for (let step = 0; step < steps; step++) {
    const ofStep: Map<LinearInput, RuntimeTensor>[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const masks = new Map<LinearInput, RuntimeTensor>();
      for (const input of new Set(Object.values(INPUT_OF))) {
        const { data, shape } = await read(`mask.${step}.${layer}.${input}`);
        masks.set(input, float32(data, shape));
      }
      ofStep.push(masks);
    }
    all.push(ofStep);
  }
  return all;
}

async function gradientDistance(
  result: BatchGradients,
  step: number,
  read: Read,
): Promise<number> {
  let [difference, square] = [0, 0];
  for (const [layer, roles] of result.layers.entries()) {
    for (const [role, own] of roles) {
      for (const factor of ['a', 'b'] as const) {
        const expected = (await read(`gradient.${step}.${layer}.${role}.${factor}`)).data;
        expected.forEach((value, index) => {
          difference += (value - (own[factor][index] ?? Number.NaN)) ** 2;
          square += value * value;
        });
      }
    }
  }
  return Math.sqrt(difference / square);
}
