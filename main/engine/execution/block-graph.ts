/**
 * The decoder block as a graph: norms, grouped-query attention, feed-forward, residuals, as the model's design says, with
 * LoRA beside any linear. One description serves execution (symbolic widths, shared by all layers) and tracing (the sizes
 * of one layer).
 */
import type { LinearRole, NormRole } from '../model/config';
import type { Activation, BlockDesign } from '../model/design';
import type { GraphBuilder } from '../graph/builder';
import { multiplyDims, type Dim } from '../graph/dims';
import type { Value } from '../graph/graph';
import { attend, attendAfter, type AttentionPast } from './attention';

/** The part of a design that shapes the graph of a block. */
export type BlockForm = Pick<
  BlockDesign,
  'norm' | 'normsBefore' | 'normsAfter' | 'qkNorm' | 'gated' | 'activation' | 'parallel' | 'attentionScale' | 'attentionCap'
> & { readonly rotaryWidth: number };

/** What a block graph is made from; blocks with equal specs share their graphs. */
export interface BlockSpec {
  readonly form: BlockForm;
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
  /** Rotary tables [P, R/2], R the entries of a head that are rotated, and the position of the first token [1]; null where R is 0. */
  readonly rotary: { readonly cosines: Value; readonly sines: Value; readonly position: Value } | null;
  /** Added to attention scores, [T, S] or [B, 1, 1, T, S]. */
  readonly mask: Value;
}

export interface Block {
  readonly output: Value;
  /** What enters o, [B*T, H*D]; the sum after attention, [B*T, C]; what enters down, [B*T, F]. */
  readonly attention: Value;
  readonly middle: Value;
  readonly channels: Value;
  /** What o and down give, [B*T, C], before any norm of it. */
  readonly attended: Value;
  readonly fed: Value;
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
  const half = spec.form.rotaryWidth / 2;
  const rotary = () => ({
    cosines: builder.input('cosines', ['P', half]),
    sines: builder.input('sines', ['P', half]),
    position: builder.input('position', [1], 'int64'),
  });
  return {
    rotary: half === 0 ? null : rotary(),
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
  const { form } = spec;
  const rms = (role: NormRole, input: Value, width: Dim): Value =>
    builder.apply('RmsNorm', [input, builder.input(prefix + role, [width])], { epsilon: spec.rmsEpsilon }, `${prefix}${role}.out`);
  const before = (role: 'attentionNorm' | 'mlpNorm', input: Value): Value => {
    if (!form.normsBefore) return input;
    if (form.norm === 'rms') return rms(role, input, C);
    const weights = form.norm === 'layer' ? [builder.input(prefix + role, [C]), builder.input(`${prefix}${role}.bias`, [C])] : [];
    return builder.apply('LayerNorm', [input, ...weights], { epsilon: spec.rmsEpsilon }, `${prefix}${role}.out`);
  };
  const after = (role: 'attentionPostNorm' | 'mlpPostNorm', value: Value): Value => (form.normsAfter ? rms(role, save(value), C) : value);
  /** [B*T, n*D] as heads [B, n, T, D]. */
  const heads = (value: Value, count: Dim): Value => builder.transpose(builder.reshape(value, [B, T, count, D]), [0, 2, 1, 3]);
  const rotate = (value: Value): Value => {
    if (context.rotary === null) return value;
    const { position, cosines, sines } = context.rotary;
    const turn = (part: Value): Value => builder.apply('RotaryEmbedding', [part, position, cosines, sines]);
    if (form.rotaryWidth === D) return turn(value);
    return builder.concat([turn(builder.slice(value, 3, 0, form.rotaryWidth)), builder.slice(value, 3, form.rotaryWidth, D)], 3, D);
  };
  /** Queries or keys as rotated heads, normalised where the design says so. */
  const looking = (role: 'q' | 'k', count: Dim): Value => {
    const width = multiplyDims(count, D);
    const flat = linear(role, attentionInput, width, C);
    const split = heads(form.qkNorm === 'all' ? rms(`${role}Norm`, save(flat), width) : flat, count);
    return rotate(form.qkNorm === 'head' ? rms(`${role}Norm`, save(split), D) : split);
  };

  const attentionInput = before('attentionNorm', hidden);
  // The query heads of a group stand together, so that products with keys and values need no repetition.
  const queries = save(builder.reshape(looking('q', multiplyDims(K, G)), [B, K, G, T, D], `${prefix}queries`));
  const keys = save(looking('k', K));
  const values = save(heads(linear('v', attentionInput, multiplyDims(K, D), C), K));

  const looked = { queries, keys, values, mask: context.mask, scale: form.attentionScale, cap: form.attentionCap };
  let mixed = past === undefined ? attend(builder, looked) : attendAfter(builder, past, looked);
  if (spec.gates) mixed = builder.multiply(mixed, builder.input(prefix + ATTENTION_GATE, [K, 1, 1, 1]));
  const joined = builder.transpose(builder.reshape(mixed, [B, multiplyDims(K, G), T, D]), [0, 2, 1, 3]);
  const attention = save(builder.reshape(joined, [multiplyDims(B, T), queryWidth], `${prefix}attention.out`));
  const attended = linear('o', attention, C, queryWidth);
  const middle = builder.add(hidden, after('attentionPostNorm', attended), `${prefix}middle`);
  // Where feed-forward reads what attention reads, the backward pass has no use for the sum between.
  const mlpInput = before('mlpNorm', form.parallel ? hidden : save(middle));

  let channels: Value;
  if (form.gated) {
    const gate = save(linear('gate', mlpInput, F, C));
    const up = save(linear('up', mlpInput, F, C));
    channels = builder.multiply(activate(builder, form.activation, gate), up);
  } else {
    channels = activate(builder, form.activation, save(linear('up', mlpInput, F, C)));
  }
  if (spec.gates) channels = builder.multiply(channels, builder.input(prefix + MLP_GATE, [F]));
  const fed = linear('down', channels, C, F);
  const output = builder.add(middle, after('mlpPostNorm', fed), `${prefix}output`);
  return { output, attention, middle, channels, attended, fed, saved, keys, values };
}

function activate(builder: GraphBuilder, activation: Activation, value: Value): Value {
  if (activation === 'silu') return builder.apply('Silu', [value]);
  return builder.apply('Gelu', [value], { tanh: activation === 'geluTanh' ? 1 : 0 });
}
