/** Floating-point operations that a work needs by a model's sizes: what its speed is set against the machine's peak with. */
import { linearRoles, linearShape, type ModelConfig } from '../../model/config';
import type { BenchWork } from './job';

/** Sizes of one piece of work. */
export interface WorkSize {
  readonly batch: number;
  /** Tokens of each sequence; for `generate` the prompt's. */
  readonly length: number;
  /** Tokens that `generate` adds in the measured interval; 0 else. */
  readonly newTokens: number;
  /** Rank of the LoRA factors beside all seven linears, for `step`. */
  readonly rank: number;
}

/**
 * Operations of a work, a multiply-add counted as two. With P the parameters of the layers' linears, N the tokens, S the
 * positions that a token looks at, H D the attention's width of each layer, and V C the head:
 *
 * - a forward pass: 2 P N (linears) + 4 H D S N in each layer (scores and their product with the values) + 2 V C N (head);
 * - a training step: 2 (linears and head: forward and the gradient of the inputs, none of the weights) or 3 (attention,
 *   whose two products have two gradients each) times that, + 6 P' N for P' LoRA parameters;
 * - generation: forward passes of one token each, with S growing.
 *
 * S is (T + 1) / 2 on average for a pass over T tokens: what a causal mask hides does not count, whether or not a side
 * computes it. Norms, activations and the optimiser do not count either.
 */
export function workFlops(config: ModelConfig, work: BenchWork, size: WorkSize): number {
  const { batch, length, newTokens, rank } = size;
  const generating = work === 'generate';
  const tokens = generating ? newTokens : batch * length;
  // Each token looks at itself and at all before it.
  const seen = generating ? length + (newTokens + 1) / 2 : (length + 1) / 2;
  let linears = 0;
  let attention = 0;
  let factors = 0;
  for (const layer of config.layers) {
    for (const role of linearRoles(config)) {
      const [out, width] = linearShape(config, layer, role);
      linears += out * width;
      factors += rank * (out + width);
    }
    attention += layer.heads * config.headDim;
  }
  const dense = 2 * tokens * (linears + config.vocabulary * config.hidden);
  const looking = 4 * tokens * seen * attention;
  return work === 'step' ? 2 * dense + 3 * looking + 6 * tokens * factors : dense + looking;
}
