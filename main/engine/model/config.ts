/**
 * The resolved description of a decoder-only model: everything the graph builder, the pruner and the writers need,
 * with no optional fields left over from the many forms in which files say it.
 */

/** Sizes that pruning can change, one per layer. */
export interface LayerShape {
  /** Query heads H. */
  readonly heads: number;
  /** Key/value heads K; H is a multiple of K. */
  readonly kvHeads: number;
  /** Feed-forward width F. */
  readonly ffn: number;
}

/** How rotary positions are stretched; `factors` are per-frequency divisors already resolved, length headDim / 2. */
export interface Rope {
  readonly theta: number;
  /** Inverse frequencies, length headDim / 2, with any scaling applied. */
  readonly inverseFrequencies: readonly number[];
  /** What cosines and sines are multiplied by: 1 except under YaRN. */
  readonly attentionFactor: number;
  /** The scaling as the file states it, to be written back unchanged; null where there is none. */
  readonly scaling: Readonly<Record<string, unknown>> | null;
}

/** A whole model's shape. Letters as in the house style: V vocabulary, C hidden, H, K, D, F. */
export interface ModelConfig {
  /** Name of the family description that fits (`llama`, `mistral`, `qwen2`). */
  readonly family: string;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly headDim: number;
  readonly layers: readonly LayerShape[];
  readonly rmsEpsilon: number;
  readonly rope: Rope;
  /** True when the output head is the embedding matrix itself (decided from the file's content). */
  readonly tied: boolean;
  /** Linears that have a bias, e.g. q, k, v for Qwen2. */
  readonly biases: ReadonlySet<LinearRole>;
  readonly maxPositions: number;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
}

/** The seven linears of a decoder layer. */
export const LINEAR_ROLES = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;
export type LinearRole = (typeof LINEAR_ROLES)[number];

/** Every weight of a decoder layer, by role. Biases exist only where `ModelConfig.biases` says so. */
export type LayerRole = LinearRole | `${LinearRole}.bias` | 'attentionNorm' | 'mlpNorm';

/** Weights outside the layers. `head` is absent when tied. */
export type GlobalRole = 'embedding' | 'finalNorm' | 'head';

/** Shape [out, in] of a layer's linear under a configuration. */
export function linearShape(config: ModelConfig, layer: LayerShape, role: LinearRole): readonly [number, number] {
  const { hidden, headDim } = config;
  switch (role) {
    case 'q':
      return [layer.heads * headDim, hidden];
    case 'k':
    case 'v':
      return [layer.kvHeads * headDim, hidden];
    case 'o':
      return [hidden, layer.heads * headDim];
    case 'gate':
    case 'up':
      return [layer.ffn, hidden];
    case 'down':
      return [hidden, layer.ffn];
  }
}

/** Parameters in the seven linear matrices of all decoder layers, biases not counted: what a pruning ratio counts. */
export function countLinearParameters(config: ModelConfig): number {
  let total = 0;
  for (const layer of config.layers) {
    for (const role of LINEAR_ROLES) {
      const [out, input] = linearShape(config, layer, role);
      total += out * input;
    }
  }
  return total;
}

/** All parameters: linears, biases, norms, embedding, and the head where it is not tied. */
export function countParameters(config: ModelConfig): number {
  let total = countLinearParameters(config);
  for (const layer of config.layers) {
    for (const role of config.biases) total += linearShape(config, layer, role)[0];
    total += 2 * config.hidden;
  }
  return total + config.hidden + config.vocabulary * config.hidden * (config.tied ? 1 : 2);
}
