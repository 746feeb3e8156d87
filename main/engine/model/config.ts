/**
 * The resolved description of a decoder-only model: everything the graph builder, the pruner and the writers need,
 * with no optional fields left over from the many forms in which files say it.
 */
import type { BlockDesign } from './design';

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
  /** What its blocks are built from. */
  readonly design: BlockDesign;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly headDim: number;
  readonly layers: readonly LayerShape[];
  /** What norms add to a mean square or variance. */
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

/** The linears that a decoder layer may have; layers without a gate have all but that one. */
export const LINEAR_ROLES = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;
export type LinearRole = (typeof LINEAR_ROLES)[number];

/** The norms of a decoder layer: before and after attention and feed-forward, and of queries and keys. */
export type NormRole = 'attentionNorm' | 'attentionPostNorm' | 'mlpNorm' | 'mlpPostNorm' | 'qNorm' | 'kNorm';

/** Every weight of a decoder layer, by role. Biases of linears exist only where `ModelConfig.biases` says so. */
export type LayerRole = LinearRole | `${LinearRole}.bias` | NormRole | 'attentionNorm.bias' | 'mlpNorm.bias';

/** Weights outside the layers. `head` is absent when tied; `positions` holds learned ones. */
export type GlobalRole = 'embedding' | 'positions' | 'finalNorm' | 'finalNorm.bias' | 'head';

/** The linears that a model's layers have. */
export function linearRoles({ design }: Pick<ModelConfig, 'design'>): readonly LinearRole[] {
  return design.gated ? LINEAR_ROLES : LINEAR_ROLES.filter((role) => role !== 'gate');
}

/** Roles present in every layer of a configuration, in the order in which files are written. */
export function layerRoles(config: ModelConfig): readonly LayerRole[] {
  const { norm, normsBefore, normsAfter, qkNorm, gated } = config.design;
  const before = (role: 'attentionNorm' | 'mlpNorm'): LayerRole[] => {
    if (!normsBefore || norm === 'plain') return [];
    return norm === 'layer' ? [role, `${role}.bias`] : [role];
  };
  const linear = (role: LinearRole): LayerRole[] => (config.biases.has(role) ? [role, `${role}.bias`] : [role]);
  const after = (role: NormRole): LayerRole[] => (normsAfter ? [role] : []);
  return [
    ...before('attentionNorm'),
    ...(['q', 'k', 'v'] as const).flatMap(linear),
    ...(qkNorm === 'none' ? [] : (['qNorm', 'kNorm'] as const)),
    ...linear('o'),
    ...after('attentionPostNorm'),
    ...before('mlpNorm'),
    ...(gated ? linear('gate') : []),
    ...linear('up'),
    ...linear('down'),
    ...after('mlpPostNorm'),
  ];
}

/** Global roles present in a configuration. */
export function globalRoles({ design, tied }: ModelConfig): readonly GlobalRole[] {
  const norms = { rms: ['finalNorm'], layer: ['finalNorm', 'finalNorm.bias'], plain: [] } as const;
  return ['embedding', ...(design.learnedPositions ? (['positions'] as const) : []), ...norms[design.norm], ...(tied ? [] : (['head'] as const))];
}

/** Shape of a layer's weight. */
export function layerWeightShape(config: ModelConfig, layer: number, role: LayerRole): readonly number[] {
  const shape = config.layers[layer];
  if (shape === undefined) return [config.hidden];
  if (role === 'qNorm' || role === 'kNorm') {
    const heads = config.design.qkNorm === 'head' ? 1 : role === 'qNorm' ? shape.heads : shape.kvHeads;
    return [heads * config.headDim];
  }
  const linear = LINEAR_ROLES.find((name) => role === name || role === `${name}.bias`);
  if (linear === undefined) return [config.hidden];
  const [out, input] = linearShape(config, shape, linear);
  return role === linear ? [out, input] : [out];
}

/** Shape of a weight outside the layers. */
export function globalWeightShape(config: ModelConfig, role: GlobalRole): readonly number[] {
  if (role === 'finalNorm' || role === 'finalNorm.bias') return [config.hidden];
  return [role === 'positions' ? config.maxPositions : config.vocabulary, config.hidden];
}

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

/** Parameters in the linear matrices of all decoder layers, biases not counted: what a pruning ratio counts. */
export function countLinearParameters(config: ModelConfig): number {
  let total = 0;
  for (const layer of config.layers) {
    for (const role of linearRoles(config)) {
      const [out, input] = linearShape(config, layer, role);
      total += out * input;
    }
  }
  return total;
}

/** All parameters: linears, biases, norms, embedding, and the head where it is not tied. */
export function countParameters(config: ModelConfig): number {
  const product = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);
  const layers = config.layers.flatMap((_, layer) => layerRoles(config).map((role) => product(layerWeightShape(config, layer, role))));
  const globals = globalRoles(config).map((role) => product(globalWeightShape(config, role)));
  return [...layers, ...globals].reduce((sum, count) => sum + count, 0);
}
