/**
 * The decoder block as a graph: RMSNorm, rotary grouped-query attention, gated feed-forward, residuals, with LoRA
 * beside any linear. One description serves execution (symbolic widths, shared by all layers) and tracing (the sizes
 * of one layer).
 */
import type { LinearRole } from '../model/config';
import type { GraphBuilder } from '../graph/builder';
import { multiplyDims, type Dim } from '../graph/dims';
import type { Value } from '../graph/graph';
import { attend, attendAfter, type AttentionPast } from './attention';

/** What a block graph is made from; blocks with equal specs share their graphs. */
export interface BlockSpec {
  readonly headDim: number;
  /** Query heads of each key/value head, H / K. */
  readonly headsPerGroup: number;
  readonly rmsEpsilon: number;
  readonly biases: ReadonlySet<LinearRole>;
  /** LoRA beside these linears, its product scaled by `scale` = alpha / rank; null for none. */
  readonly lora: LoraSpec | null;
  /** Tokens of a sequence where known when the graph is made, which makes attention cheaper; else the symbol T. */
  readonly length: number | null;
  /** Whether each sequence has a mask of its own, to keep documents apart. */
  readonly documents: boolean;
  /** Inputs that multiply each feed-forward channel and each key/value group, for masks and their gradients. */
  readonly gates: boolean;
}

export interface LoraSpec {
  readonly scale: number;
  readonly targets: readonly LinearRole[];
  /** Whether what enters the factors (not the linears) is multiplied by a mask; linears with one input share its mask. */
  readonly dropout: boolean;
}

/** The four tensors that enter linears: what attention and feed-forward start from, and what they hand to o and down. */
export type LinearInput = 'attention.in' | 'attention.out' | 'mlp.in' | 'mlp.out';

/** What enters each linear. */
export const INPUT_OF: Readonly<Record<LinearRole, LinearInput>> = {
  q: 'attention.in', k: 'attention.in', v: 'attention.in', o: 'attention.out', gate: 'mlp.in', up: 'mlp.in', down: 'mlp.out',
};

/** Sizes of a block: numbers when tracing, symbols when the graph is shared between layers. */
export interface BlockDims {
  readonly hidden: Dim;
  readonly kvHeads: Dim;
  readonly ffn: Dim;
  readonly rank: Dim;
}

/** The symbols of graphs that all layers share. */
export const sharedDims: BlockDims = { hidden: 'C', kvHeads: 'K', ffn: 'F', rank: 'R' };

/** Values that a block shares with its neighbours: positions and the causal mask. */
export interface BlockContext {
  /** Rotary tables [P, D/2] and the position of the first token [1]. */
  readonly cosines: Value;
  readonly sines: Value;
  readonly position: Value;
  /** Added to attention scores, [T, S] or [B, 1, 1, T, S]. */
  readonly mask: Value;
}

export interface Block {
  readonly output: Value;
  /** What enters o, [B*T, H*D]; the sum after attention, [B*T, C]; what enters down, [B*T, F]. */
  readonly attention: Value;
  readonly middle: Value;
  readonly channels: Value;
  /** What the backward pass needs and is dear to compute again; everything else it recomputes from these. */
  readonly saved: readonly Value[];
  /** Keys and values of the block's own positions, [B, K, T, D]. */
  readonly keys: Value;
  readonly values: Value;
}

/** Name of a LoRA factor's graph input. */
export function loraName(role: LinearRole, factor: 'a' | 'b'): string {
  return `${role}.lora.${factor}`;
}

/** Name of the graph input that masks what enters LoRA's factors, of the shape of that tensor. */
export function dropoutName(input: LinearInput): string {
  return `${input}.dropout`;
}

export const MLP_GATE = 'mlp.gate';
export const ATTENTION_GATE = 'attention.gate';

/** Inputs for the context of a block; `seen` is the number of positions looked at, by default those of the sequence. */
export function blockContext(builder: GraphBuilder, spec: BlockSpec, seen?: Dim): BlockContext {
  const length = spec.length ?? 'T';
  const mask = [length, seen ?? length];
  return {
    cosines: builder.input('cosines', ['P', spec.headDim / 2]),
    sines: builder.input('sines', ['P', spec.headDim / 2]),
    position: builder.input('position', [1], 'int64'),
    mask: builder.input('mask', spec.documents ? ['B', 1, 1, ...mask] : mask),
  };
}

/**
 * Appends one block. `hidden` is [B*T, C]; weights become graph inputs named `prefix` + role, [out, in]; those of the
 * linears in `turned` [in, out]. With `past`, attention also looks at earlier positions.
 */
export function buildBlock(
  builder: GraphBuilder,
  hidden: Value,
  context: BlockContext,
  spec: BlockSpec,
  dims: BlockDims,
  options: { readonly prefix?: string; readonly past?: AttentionPast; readonly turned?: ReadonlySet<LinearRole> } = {},
): Block {
  const { prefix = '', past, turned } = options;
  const { headDim: D, headsPerGroup: G } = spec;
  const { hidden: C, kvHeads: K, ffn: F } = dims;
  const [B, T] = ['B', spec.length ?? 'T'] as const;
  const queryWidth = multiplyDims(K, G, D);
  const saved: Value[] = [];
  const save = (value: Value): Value => {
    saved.push(value);
    return value;
  };

  const masked = new Map<LinearInput, Value>();
  const withDropout = (role: LinearRole, input: Value, width: Dim): Value => {
    if (spec.lora?.dropout !== true) return input;
    const place = INPUT_OF[role];
    const value = masked.get(place) ?? builder.multiply(input, builder.input(prefix + dropoutName(place), [multiplyDims(B, T), width]));
    masked.set(place, value);
    return value;
  };
  const linear = (role: LinearRole, input: Value, out: Dim, width: Dim): Value => {
    const isTurned = turned?.has(role) === true;
    const weight = builder.input(prefix + role, isTurned ? [width, out] : [out, width]);
    const bias = spec.biases.has(role) ? { added: builder.input(`${prefix}${role}.bias`, [out]) } : {};
    const base = builder.gemm(input, weight, { transposeRight: !isTurned, ...bias, name: `${prefix}${role}.base` });
    if (spec.lora?.targets.includes(role) !== true) return base;
    const a = builder.input(prefix + loraName(role, 'a'), [dims.rank, width]);
    const b = builder.input(prefix + loraName(role, 'b'), [out, dims.rank]);
    const inner = save(builder.gemm(withDropout(role, input, width), a, { transposeRight: true, name: `${prefix}${role}.lora.inner` }));
    return builder.gemm(inner, b, { transposeRight: true, alpha: spec.lora.scale, added: base, name: `${prefix}${role}.lora.out` });
  };
  const norm = (role: 'attentionNorm' | 'mlpNorm', input: Value): Value =>
    builder.apply('RmsNorm', [input, builder.input(prefix + role, [C])], { epsilon: spec.rmsEpsilon }, `${prefix}${role}.out`);
  /** [B*T, n*D] as heads [B, n, T, D]. */
  const heads = (value: Value, count: Dim): Value => builder.transpose(builder.reshape(value, [B, T, count, D]), [0, 2, 1, 3]);
  const rotate = (value: Value): Value =>
    builder.apply('RotaryEmbedding', [value, context.position, context.cosines, context.sines]);

  const attentionInput = norm('attentionNorm', hidden);
  const rotatedQueries = rotate(heads(linear('q', attentionInput, queryWidth, C), multiplyDims(K, G)));
  // The query heads of a group stand together, so that products with keys and values need no repetition.
  const queries = save(builder.reshape(rotatedQueries, [B, K, G, T, D], `${prefix}queries`));
  const keys = save(rotate(heads(linear('k', attentionInput, multiplyDims(K, D), C), K)));
  const values = save(heads(linear('v', attentionInput, multiplyDims(K, D), C), K));

  const looked = { queries, keys, values, mask: context.mask };
  let mixed = past === undefined ? attend(builder, looked) : attendAfter(builder, past, looked);
  if (spec.gates) mixed = builder.multiply(mixed, builder.input(prefix + ATTENTION_GATE, [K, 1, 1, 1]));
  const joined = builder.transpose(builder.reshape(mixed, [B, multiplyDims(K, G), T, D]), [0, 2, 1, 3]);
  const attention = save(builder.reshape(joined, [multiplyDims(B, T), queryWidth], `${prefix}attention.out`));
  const middle = save(builder.add(hidden, linear('o', attention, C, queryWidth), `${prefix}middle`));

  const mlpInput = norm('mlpNorm', middle);
  const gate = save(linear('gate', mlpInput, F, C));
  const up = save(linear('up', mlpInput, F, C));
  let channels = builder.multiply(builder.apply('Silu', [gate]), up);
  if (spec.gates) channels = builder.multiply(channels, builder.input(prefix + MLP_GATE, [F]));
  const output = builder.add(middle, linear('down', channels, C, F), `${prefix}output`);
  return { output, attention, middle, channels, saved, keys, values };
}
