/** The graphs that execution needs, cut from the block and the head: forward, backward, with a cache, and losses. */
import { differentiate } from '../graph/autodiff';
import { multiplyDims } from '../graph/dims';
import { GraphBuilder } from '../graph/builder';
import { extractGraph } from '../graph/extract';
import { withInt8Products } from '../graph/passes/int8-products';
import type { Graph, Value } from '../graph/graph';
import type { LinearRole, ModelConfig } from '../model/config';
import type { BlockDesign } from '../model/design';
import { capped } from './attention';
import { ATTENTION_GATE, blockContext, buildBlock, loraName, MLP_GATE, sharedDims, type BlockSpec } from './block-graph';

/** Inputs of `cachedGraph`. */
export const PAST_KEYS = 'past.keys';
export const PAST_VALUES = 'past.values';

/** Forward and backward pass of one block for training. */
export interface TrainingGraphs {
  /** Outputs: the block's output, then what is saved. */
  readonly forward: Graph;
  /** Inputs: those of the block, the saved values, and `seed`, the gradient of the output. */
  readonly backward: Graph;
  /** The same without saved values: computes the block's forward pass again. */
  readonly recompute: Graph;
  readonly outputName: string;
  readonly savedNames: readonly string[];
  /** Gradient output of each target: `x`, LoRA factors, gates. */
  readonly gradientNames: ReadonlyMap<string, string>;
}

/** The block without anything for training: one output. */
export function forwardGraph(spec: BlockSpec): Graph {
  const builder = new GraphBuilder();
  const hidden = hiddenInput(builder, spec);
  const { output } = buildBlock(builder, hidden, blockContext(builder, spec), spec, sharedDims);
  return extractGraph(builder.build('block', [output]), 'block.forward', [output]);
}

/**
 * The block over new tokens that follow others: earlier keys and values as inputs, those of the new tokens as further
 * outputs. Weights of the linears in `turned` are given as [in, out].
 */
export function cachedGraph(spec: BlockSpec, turned: ReadonlySet<LinearRole>): Graph {
  const builder = new GraphBuilder();
  const hidden = hiddenInput(builder, spec);
  const past = {
    keys: builder.input(PAST_KEYS, ['B', 'K', 'L', spec.headDim]),
    values: builder.input(PAST_VALUES, ['B', 'K', 'L', spec.headDim]),
  };
  const context = blockContext(builder, spec, 'S');
  const block = buildBlock(builder, hidden, context, spec, sharedDims, { past, turned });
  const outputs = [block.output, block.keys, block.values];
  return extractGraph(builder.build('block', outputs), 'block.cached', outputs);
}

/**
 * Forward with saved values, and the backward pass that uses them. Gradients flow in 8 bits through the weights named
 * in `int8Weights`.
 */
export function trainingGraphs(spec: BlockSpec, int8Weights: ReadonlySet<string> = new Set()): TrainingGraphs {
  const builder = new GraphBuilder();
  const hidden = hiddenInput(builder, spec);
  const block = buildBlock(builder, hidden, blockContext(builder, spec), spec, sharedDims);
  const forward = builder.build('block', [block.output]);
  const trainable = (spec.lora?.targets ?? []).flatMap((role) => [loraName(role, 'a'), loraName(role, 'b')]);
  const gates = spec.gates ? [ATTENTION_GATE, MLP_GATE] : [];
  const targets = [hidden, ...[...trainable, ...gates].map((name) => inputNamed(forward, name))];
  const seed = builder.input('seed', hidden.shape);
  const gradients = differentiate(builder, forward, new Map([[block.output, seed]]), targets);
  const joint = builder.build('block', [block.output]);
  return {
    forward: extractGraph(joint, 'block.training', [block.output, ...block.saved]),
    backward: withInt8Products(extractGraph(joint, 'block.backward', [...gradients.values()], new Set(block.saved)), int8Weights),
    recompute: withInt8Products(extractGraph(joint, 'block.recompute', [...gradients.values()]), int8Weights),
    outputName: block.output.name,
    savedNames: block.saved.map((value) => value.name),
    gradientNames: new Map([...gradients].map(([target, gradient]) => [target.name, gradient.name])),
  };
}

/** A block in three parts, each from what the one before gives: for refitting o and down to what enters them. */
export interface PartGraphs {
  /** `x` to what enters o. */
  readonly attention: Graph;
  /** `x` and what enters o to the sum after attention, and what enters down; where it is normalised, also what o gives. */
  readonly mlp: Graph;
  /** The sum after attention and what enters down to the block's output; where it is normalised, also what down gives. */
  readonly output: Graph;
}

export function partGraphs(spec: BlockSpec): PartGraphs {
  const builder = new GraphBuilder();
  const { attention, middle, channels, attended, fed, output } = buildBlock(builder, hiddenInput(builder, spec), blockContext(builder, spec), spec, sharedDims);
  const block = builder.build('block', [output]);
  const normalised = (value: Value): Value[] => (spec.form.normsAfter ? [value] : []);
  return {
    attention: extractGraph(block, 'block.part.attention', [attention]),
    mlp: extractGraph(block, 'block.part.mlp', [middle, channels, ...normalised(attended)], new Set([attention])),
    output: extractGraph(block, 'block.part.output', [output, ...normalised(fed)], new Set([middle, channels])),
  };
}

/** The final norm and the output head. Rows are tokens of any batch. */
export interface HeadGraphs {
  /** `x` [N, C] to logits [N, V]. */
  readonly logits: Graph;
  /** `x`, `labels` [N, 1] to the negative log-likelihood of each label in nats, [N, 1]. */
  readonly losses: Graph;
  /** As `losses` with `weights` [N, 1]; also the gradient of sum(weights * losses) with respect to `x`. */
  readonly training: Graph;
  /**
   * As `training` where a share `share` [1] of what is to be predicted comes from a teacher: its `x` is `teacher` [N, C], its
   * norm and head are the same. The gradient is that of (1 - share) * losses + share * the cross-entropy with what the
   * teacher expects (Hinton et al., arXiv 1503.02531, at temperature 1); the losses are those of the labels all the same.
   */
  readonly distilling: Graph;
}

/** What head graphs are made from. */
export interface HeadForm extends Pick<BlockDesign, 'norm' | 'logitCap'> {
  readonly epsilon: number;
}

/** The head form of a model. */
export function headForm({ design, rmsEpsilon }: ModelConfig): HeadForm {
  return { norm: design.norm, logitCap: design.logitCap, epsilon: rmsEpsilon };
}

/** Weights of the final norm are `finalNorm` and `finalNorm.bias` [C], where it has any; the head's matrix is `head` [V, C]. */
export function headGraphs(form: HeadForm): HeadGraphs {
  const builder = new GraphBuilder();
  const hidden = builder.input('x', ['N', 'C']);
  const norm = normInputs(builder, form);
  const head = builder.input('head', ['V', 'C']);
  const logitsOf = (stream: Value, name?: string): Value => {
    const product = builder.gemm(finalNorm(builder, stream, form, norm), head, { transposeRight: true, ...(form.logitCap === null && name !== undefined && { name }) });
    return capped(builder, product, form.logitCap, name);
  };
  const logits = logitsOf(hidden, 'logits');
  const labels = builder.input('labels', ['N', 1], 'int64');
  const picked = builder.apply('GatherElements', [logits, labels]);
  const losses = builder.apply('Sub', [builder.logSumExp(logits), picked], {}, 'losses');
  const weights = builder.input('weights', ['N', 1]);
  const gradientOf = (loss: Value): Value =>
    differentiate(builder, builder.build('head', [loss]), new Map([[loss, weights]]), [hidden]).get(hidden) ?? hidden;
  const gradient = gradientOf(losses);
  const expected = builder.reduceSum(builder.multiply(builder.softmax(logitsOf(builder.input('teacher', ['N', 'C']))), logits), [1]);
  const taught = builder.add(losses, builder.multiply(builder.input('share', [1]), builder.subtract(picked, expected)));
  const taughtGradient = gradientOf(taught);
  const joint = builder.build('head', [losses, taught]);
  return {
    logits: extractGraph(joint, 'head.logits', [logits]),
    losses: extractGraph(joint, 'head.losses', [losses]),
    training: extractGraph(joint, 'head.training', [losses, gradient]),
    distilling: extractGraph(joint, 'head.distilling', [losses, taughtGradient]),
  };
}

/** `logits` of `headGraphs` for a head that is given as [C, V]. */
export function turnedHeadGraph(form: HeadForm): Graph {
  const builder = new GraphBuilder();
  const hidden = builder.input('x', ['N', 'C']);
  const norm = finalNorm(builder, hidden, form, normInputs(builder, form));
  const raw = builder.gemm(norm, builder.input('head', ['C', 'V']), nameUnless(form.logitCap));
  return builder.build('head.turned', [capped(builder, raw, form.logitCap, 'logits')]);
}

/** The weights of the final norm, as many as it has. */
function normInputs(builder: GraphBuilder, { norm }: HeadForm): Value[] {
  const names = { rms: ['finalNorm'], layer: ['finalNorm', 'finalNorm.bias'], plain: [] }[norm];
  return names.map((name) => builder.input(name, ['C']));
}

function finalNorm(builder: GraphBuilder, hidden: Value, { norm, epsilon }: HeadForm, weights: readonly Value[]): Value {
  return builder.apply(norm === 'rms' ? 'RmsNorm' : 'LayerNorm', [hidden, ...weights], { epsilon });
}

/** The last value is called `logits`: what the head gives, or what a cap makes of it. */
function nameUnless(cap: number | null): { readonly name?: string } {
  return cap === null ? { name: 'logits' } : {};
}

/** `weight` [K, N] to `values` [K, N] in 8 bits and `scales` [N]. */
export function int8ColumnsGraph(): Graph {
  const builder = new GraphBuilder();
  return builder.build('int8', builder.applyAll('Int8Columns', [builder.input('weight', ['K', 'N'])], {}, 'values'));
}

function hiddenInput(builder: GraphBuilder, spec: BlockSpec): Value {
  return builder.input('x', [multiplyDims('B', spec.length ?? 'T'), 'C']);
}

function inputNamed(graph: Graph, name: string): Value {
  const value = graph.inputs.find((input) => input.name === name);
  if (value === undefined) throw new TypeError(`The graph has no input ${name}.`);
  return value;
}
