/** LoRA (Hu et al., arXiv 2106.09685): for each chosen linear W, factors A [R, in] and B [out, R] added as s B A. */
import type { Tensor32 } from '../tensors/handle';
import { linearRoles, linearShape, type LinearRole, type ModelConfig } from '../model/config';
import type { Random } from '../support/random';
import { InternalError } from '../support/errors';

export interface LoraFactors {
  readonly a: Tensor32;
  readonly b: Tensor32;
}

export interface LoraAdapter {
  readonly rank: number;
  /** alpha / rank. */
  readonly scale: number;
  readonly targets: readonly LinearRole[];
  /** Factors of each layer by role. */
  readonly layers: readonly ReadonlyMap<LinearRole, LoraFactors>[];
}

/** A fresh adapter beside those of the targets that the model has: A uniform in +-1/sqrt(in) (as PEFT's default), B zero, so that it changes nothing. */
export function createAdapter(
  config: ModelConfig,
  options: { readonly rank: number; readonly alpha: number; readonly targets: readonly LinearRole[]; readonly random: Random },
): LoraAdapter {
  const { rank, alpha, random } = options;
  const present = linearRoles(config);
  const targets = options.targets.filter((role) => present.includes(role));
  const layers = config.layers.map((layer) => {
    const factors = new Map<LinearRole, LoraFactors>();
    for (const role of targets) {
      const [out, width] = linearShape(config, layer, role);
      const bound = 1 / Math.sqrt(width);
      const a = Float32Array.from({ length: rank * width }, () => (random.next() * 2 - 1) * bound);
      factors.set(role, {
        a: { shape: [rank, width], data: a },
        b: { shape: [out, rank], data: new Float32Array(out * rank) },
      });
    }
    return factors;
  });
  return { rank, scale: alpha / rank, targets, layers };
}

/** The factors beside one linear. Throws InternalError if the adapter has none there. */
export function factorsOf(adapter: LoraAdapter, layer: number, role: LinearRole): LoraFactors {
  const factors = adapter.layers[layer]?.get(role);
  if (factors === undefined) throw new InternalError(`The adapter has no factors beside ${role} of layer ${layer}.`);
  return factors;
}
