/**
 * First-order Taylor scores of units: the mean over sequences of |dL/dg|, g a gate that multiplies the unit's
 * activation, which is what removing the unit changes the loss by to first order (Molchanov et al., arXiv 1906.10771).
 */
import * as v from 'valibot';
import type { LoraAdapter } from '../execution/adapter';
import type { Executor, LayerGates } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';
import { LoraGradients } from '../training/lora-gradients';
import { NO_CHECKPOINT, restoreArrays, savedData, type Checkpoint } from '../support/checkpoint';
import type { OnProgress } from '../support/progress';
import type { UnitGroup } from './units';

/** Gates that keep everything. */
export function openGates({ config }: Pick<ExecutableModel, 'config'>): LayerGates[] {
  return config.layers.map(({ kvHeads, ffn }) => ({
    attention: new Float32Array(kvHeads).fill(1),
    mlp: new Float32Array(ffn).fill(1),
  }));
}

/** Mean absolute gate gradients over sequences of equal length, one at a time. Cost: a training step for each. */
export async function scoreGates(
  executor: Executor,
  model: ExecutableModel,
  adapter: LoraAdapter,
  sequences: readonly ArrayLike<number>[],
  options: { readonly recompute?: boolean; readonly signal?: AbortSignal; readonly checkpoint?: Checkpoint; readonly onProgress?: OnProgress } = {},
): Promise<LayerGates[]> {
  const gates = openGates(model);
  const means = gates.map(({ attention, mlp }) => ({
    attention: new Float32Array(attention.length),
    mlp: new Float32Array(mlp.length),
  }));
  const gradients = new LoraGradients(executor, model, adapter, { recompute: options.recompute === true });
  const { saved, offer } = options.checkpoint ?? NO_CHECKPOINT;
  const arrays = { means: flattenGates(means) };
  let scored = 0;
  if (saved !== null) {
    ({ scored } = savedData(saved, v.object({ scored: v.number() })));
    restoreArrays(saved, 'means', arrays.means);
  }
  for (const [index, sequence] of sequences.entries()) {
    if (index < scored) continue;
    const result = await gradients.compute([sequence], { gates, ...(options.signal === undefined ? {} : { signal: options.signal }) });
    blendGates(means, result.gates, (mean, gradient) => mean + Math.abs(gradient) / sequences.length);
    options.onProgress?.({ done: index + 1, total: sequences.length });
    await offer(() => ({ data: { scored: index + 1 }, arrays }));
  }
  return means;
}

/** The arrays of gates in one fixed order. */
export function flattenGates(gates: readonly LayerGates[]): Float32Array[] {
  return gates.flatMap(({ attention, mlp }) => [attention, mlp]);
}

/**
 * What gate gradients say that pruning each group to its kept units costs, in nats a token: the sum of its removed
 * units' scores. Far cheaper than measuring, and blind to what units do together.
 */
export function estimateDeviations(
  groups: readonly Pick<UnitGroup, 'layer' | 'part' | 'size'>[],
  gates: readonly LayerGates[],
  kept: readonly (readonly number[])[],
): number[] {
  return groups.map(({ layer, part }, index) => {
    const stays = new Set(kept[index]);
    return Array.from(gates[layer]?.[part] ?? []).reduce((sum, score, unit) => (stays.has(unit) ? sum : sum + score), 0);
  });
}

/** Replaces each mean by what `blend` makes of it and a new gradient. */
export function blendGates(
  means: readonly LayerGates[],
  gradients: readonly LayerGates[],
  blend: (mean: number, gradient: number) => number,
): void {
  means.forEach((mean, layer) => {
    for (const part of ['attention', 'mlp'] as const) {
      const target = mean[part];
      const source = gradients[layer]?.[part] ?? target;
      for (let at = 0; at < target.length; at++) target[at] = blend(target[at] ?? 0, source[at] ?? 0);
    }
  });
}
