/**
 * What a decoder block is built from, as data: the one description by which graphs are made, weights are listed and
 * writers know whether another family computes the same. A family states its own; a model's file fills in the numbers.
 */
import type { Rope } from './config';

/**
 * How hidden states are normalised: `rms` by their root mean square with a scale, `layer` by mean and variance with
 * scale and bias, `plain` by mean and variance alone.
 */
export type NormKind = 'rms' | 'layer' | 'plain';

/** `geluTanh` is GELU by its approximation with tanh. */
export type Activation = 'silu' | 'gelu' | 'geluTanh';

/** One block of a model; all blocks of a model are alike but for their widths and how far they look back. */
export interface BlockDesign {
  /** Kind of the norms around attention and feed-forward, and of the final one. */
  readonly norm: NormKind;
  /** Norms of what enters attention and feed-forward. */
  readonly normsBefore: boolean;
  /** Norms of what attention and feed-forward give, before it is added to the stream. Always of kind `rms`. */
  readonly normsAfter: boolean;
  /** RMS norms of queries and keys, before they are rotated: of each head, with one scale [D], or of all heads together. */
  readonly qkNorm: 'none' | 'head' | 'all';
  /** Feed-forward as down(act(gate(x)) * up(x)); otherwise down(act(up(x))). */
  readonly gated: boolean;
  readonly activation: Activation;
  /** Whether feed-forward reads what attention reads instead of the stream after attention. */
  readonly parallel: boolean;
  /** Entries of a head, from its first on, that are rotated by position; `head` means all. 0 where positions are learned. */
  readonly rotaryWidth: number | 'head';
  /** Whether a learned vector for each position is added to the embedding. */
  readonly learnedPositions: boolean;
  /** Whether embeddings are multiplied by sqrt(C) on entry. */
  readonly scaledEmbedding: boolean;
  /** What scores are multiplied by; null for 1 / sqrt(D). */
  readonly attentionScale: number | null;
  /** Scores and logits are squeezed into (-cap, cap) by cap * tanh(x / cap); null where they are not. */
  readonly attentionCap: number | null;
  readonly logitCap: number | null;
  /** For each layer, how many positions a token sees, its own included; 0 for all. Empty where all layers see all. */
  readonly windows: readonly number[];
  /** Rotary settings of the layers that have a window, where they differ. */
  readonly localRope: Rope | null;
}

/** The block of Llama, from which most families differ in a few points. */
export const LLAMA_BLOCK: BlockDesign = {
  norm: 'rms',
  normsBefore: true,
  normsAfter: false,
  qkNorm: 'none',
  gated: true,
  activation: 'silu',
  parallel: false,
  rotaryWidth: 'head',
  learnedPositions: false,
  scaledEmbedding: false,
  attentionScale: null,
  attentionCap: null,
  logitCap: null,
  windows: [],
  localRope: null,
};

/** Entries of a head that are rotated. */
export function rotaryWidthOf({ rotaryWidth }: BlockDesign, headDim: number): number {
  return rotaryWidth === 'head' ? headDim : rotaryWidth;
}

/** What of a design must be equal for two families to compute the same: not what a model's own file states. */
export function blockKind(design: BlockDesign): string {
  const { norm, normsBefore, normsAfter, qkNorm, gated, activation, parallel, learnedPositions, scaledEmbedding } = design;
  const caps = [design.attentionCap !== null, design.logitCap !== null];
  return JSON.stringify([norm, normsBefore, normsAfter, qkNorm, gated, activation, parallel, learnedPositions, scaledEmbedding, caps]);
}
