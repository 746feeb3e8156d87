/**
 * How small a model gets: the widths that a wished ratio or file size leads to, from the configuration alone. The
 * forecast that people see before the start and the pruning itself use these same functions, so they cannot differ.
 */
import type { ExportTarget, Mode, Size } from '../../../preload/contract/recipe';
import type { SizeForecast } from '../../../preload/contract/run';
import { ggufWeightBytes, widthStep } from '../export/gguf-types';
import { onnxWeightBytes, onnxWidthStep } from '../export/onnx-types';
import { countLinearParameters, countParameters, type LayerShape, type ModelConfig } from '../model/config';
import { canLoseHeads } from '../model/families/index';
import { fewestKept } from '../pruning/select';
import { PlanError } from '../support/errors';
import { programsThatOpen } from './opens-in';

/**
 * Attention is dear: removing a key/value group costs far more knowledge than MLP channels of the same size. So channels
 * alone are removed until this share of the feed-forward width is gone, and only beyond it whole groups too.
 */
const CHANNELS_FIRST_SHARE = 0.6;
/** Fewest channels and key/value groups that a layer keeps. */
const MIN_CHANNELS = 8;
const MIN_GROUPS = 1;
/** How far rounding to a convenient width may move the removed fraction. */
const ROUNDING_TOLERANCE = 0.002;
/** Widths that programs and processors like best, first. */
const ROUND_WIDTHS: readonly number[] = [8, 4, 2, 1];
/** Widths for files that store weights in blocks: multiples of the larger blocks, else of the smaller ones, whatever else. */
const BLOCK_WIDTHS: readonly number[] = [256, 32];

interface Removal {
  /** Fraction of the linear parameters that goes: removed / all linear parameters of the decoder layers. */
  readonly removedFraction: number;
  readonly removedLinearParameters: number;
  /** Key/value groups that go, over all layers. A group is one k/v head with its query heads. */
  readonly kvGroupsRemoved: number;
  /** MLP channels that go, over all layers. */
  readonly channelsRemoved: number;
}

/** What pruning has to reach: the same widths in every layer, or totals that the knowledge analysis shares out. */
export type WidthBudget =
  | (Removal & { readonly mode: 'everywhere'; readonly heads: number; readonly kvHeads: number; readonly ffn: number })
  | (Removal & { readonly mode: 'quality' });

/** Linear parameters of one MLP channel: a row of up, and of gate where there is one, and a column of down. */
export function channelParameters(config: ModelConfig): number {
  return (config.design.gated ? 3 : 2) * config.hidden;
}

/** Linear parameters of one key/value group of a layer: rows of k and v, rows of q and columns of o of its query heads. */
export function groupParameters(config: ModelConfig, layer: LayerShape): number {
  return 2 * config.hidden * config.headDim * (1 + layer.heads / layer.kvHeads);
}

/** Bytes of a model's weights in an element type, exactly. GGUF keeps vectors (norms, biases) in four bytes. */
export function weightBytes(config: ModelConfig, target: ExportTarget): number {
  if (target.format === 'gguf') return ggufWeightBytes(config, target.dtype);
  if (target.format === 'onnx') return onnxWeightBytes(config, target.dtype);
  return countParameters(config) * (target.dtype === 'F32' ? 4 : 2);
}

/** The same where each layer gets a width of its own, which is hardly ever whole blocks: a straight line in the widths. */
function oddWeightBytes(config: ModelConfig, target: ExportTarget): number {
  if (target.format === 'onnx') return onnxWeightBytes(config, target.dtype, target.dtype === 'INT4');
  return target.format === 'gguf' ? ggufWeightBytes(config, target.dtype, true) : weightBytes(config, target);
}

/** The configuration with the same widths in every layer. */
export function withEvenWidths(config: ModelConfig, widths: LayerShape): ModelConfig {
  return { ...config, layers: config.layers.map(() => widths) };
}

/**
 * The widths, or totals, that a wished size leads to.
 * @throws PlanError when even the smallest widths are larger than what is asked for, with the limit in words.
 */
export function planWidths(config: ModelConfig, size: Size, mode: Mode, target: ExportTarget): WidthBudget {
  const goal = size.kind === 'ratio' ? ratioGoal(config, size.ratio, target) : bytesGoal(config, size.bytes, mode, target);
  return mode === 'everywhere' ? planEven(config, goal) : planTotals(config, goal);
}

/** What must not be exceeded (`keep`), and how a configuration is measured against it. */
interface Goal {
  readonly keep: number;
  readonly measure: (config: ModelConfig) => number;
  /** `nearest` hits a ratio from either side; `below` never exceeds a file size. */
  readonly rounding: 'nearest' | 'below';
  /** Feed-forward widths of all layers alike are multiples of this; beyond 1 the measure goes in steps. */
  readonly widthStep: number;
  readonly tooSmall: (smallest: number) => PlanError;
}

function stepOf(target: ExportTarget): number {
  if (target.format === 'onnx') return onnxWidthStep(target.dtype);
  return target.format === 'gguf' ? widthStep(target.dtype) : 1;
}

function ratioGoal(config: ModelConfig, ratio: number, target: ExportTarget): Goal {
  const total = countLinearParameters(config);
  return {
    keep: total * (1 - ratio),
    measure: countLinearParameters,
    rounding: 'nearest',
    widthStep: stepOf(target),
    tooSmall: (smallest) => {
      const most = Math.floor((1 - smallest / total) * 1000) / 10;
      return new PlanError(`This model can lose at most ${most}% of its layers; ${round(ratio * 100)}% was asked for.${headsNote(config)}`, {
        hint: `Choose ${most}% or less.`,
        details: { asked: ratio, most: most / 100 },
      });
    },
  };
}

/** Why a model cannot lose more, where its heads are what stays. */
function headsNote(config: ModelConfig): string {
  return canLoseHeads(config) ? '' : ' Its attention heads stay: no program opens this kind of model with fewer, or they are normalised together.';
}

function bytesGoal(config: ModelConfig, bytes: number, mode: Mode, target: ExportTarget): Goal {
  const isSmallEnough = weightBytes(config, target) <= bytes;
  return {
    keep: isSmallEnough ? Number.POSITIVE_INFINITY : bytes,
    measure: (candidate) => (mode === 'everywhere' ? weightBytes(candidate, target) : oddWeightBytes(candidate, target)),
    rounding: 'below',
    widthStep: stepOf(target),
    tooSmall: (smallest) =>
      new PlanError(
        `This model cannot be made smaller than ${inMegabytes(smallest)} as ${target.dtype}; ${inMegabytes(bytes)} was asked for. ` +
          'Its word table and its smallest layers alone take that much.',
        {
          hint: `Choose a larger size, or ${smallerType(target) ?? 'start from a smaller model'}.`,
          details: { askedBytes: bytes, smallestBytes: smallest, before: weightBytes(config, target) },
        },
      ),
  };
}

/** What to choose where an element type is too large. */
function smallerType({ format, dtype }: ExportTarget): string | null {
  if (dtype === 'F32') return 'the element type F16';
  if (format === 'onnx') return dtype === 'F16' ? 'the element type INT4' : null;
  return format === 'gguf' && (dtype === 'F16' || dtype === 'BF16' || dtype === 'Q8_0') ? 'the element type Q4_K_M' : null;
}

function planEven(config: ModelConfig, goal: Goal): WidthBudget {
  const queriesPerGroup = evenQueriesPerGroup(config);
  const most = {
    kvHeads: Math.min(...config.layers.map((layer) => layer.kvHeads)),
    ffn: Math.min(...config.layers.map((layer) => layer.ffn)),
  };
  const widths = (kvHeads: number, ffn: number): LayerShape => ({ kvHeads, heads: kvHeads * queriesPerGroup, ffn });
  const measure = (kvHeads: number, ffn: number): number => goal.measure(withEvenWidths(config, widths(kvHeads, ffn)));
  const minChannels = Math.min(Math.max(MIN_CHANNELS, goal.widthStep), most.ffn);
  const exactFfn = (kvHeads: number): number => {
    if (goal.rounding === 'below' && goal.widthStep > 1) return widestBelow(goal, most.ffn, (ffn) => measure(kvHeads, ffn));
    // The measure is a straight line in the feed-forward width: solve it.
    const base = measure(kvHeads, 0);
    return Number.isFinite(goal.keep) ? (goal.keep - base) / (measure(kvHeads, 1) - base) : most.ffn;
  };

  let kvHeads = most.kvHeads;
  const fewestGroups = canLoseHeads(config) ? MIN_GROUPS : kvHeads;
  while (kvHeads > fewestGroups && exactFfn(kvHeads) < (1 - CHANNELS_FIRST_SHARE) * most.ffn) {
    // Where one group is worth more than all the channels that it would spare, the channels go.
    if (exactFfn(kvHeads - 1) >= most.ffn && exactFfn(kvHeads) >= minChannels) break;
    kvHeads -= 1;
  }
  const exact = exactFfn(kvHeads);
  if (exact < minChannels - 0.5) {
    const smallest = measure(kvHeads, minChannels);
    if (goal.rounding === 'below' || Math.abs(smallest - goal.keep) > ROUNDING_TOLERANCE * goal.measure(config)) throw goal.tooSmall(smallest);
  }
  const ffn = roundWidth(exact, goal, { least: minChannels, most: most.ffn, fractionPerChannel: fractionPerChannel(config) });
  const kept = widths(kvHeads, ffn);
  return { mode: 'everywhere', ...kept, ...removalOf(config, config.layers.map(() => kept)) };
}

/** The largest width, `most` or a whole number of steps, that does not measure more than is to be kept; 0 if none does. */
function widestBelow(goal: Goal, most: number, measure: (ffn: number) => number): number {
  if (measure(most) <= goal.keep) return most;
  for (let ffn = Math.floor(most / goal.widthStep) * goal.widthStep; ffn > 0; ffn -= goal.widthStep) {
    if (measure(ffn) <= goal.keep) return ffn;
  }
  return 0;
}

function fractionPerChannel(config: ModelConfig): number {
  return (channelParameters(config) * config.layers.length) / countLinearParameters(config);
}

function roundWidth(exact: number, goal: Goal, limits: { least: number; most: number; fractionPerChannel: number }): number {
  const clamp = (width: number): number => Math.max(limits.least, Math.min(limits.most, width));
  if (exact >= limits.most) return limits.most;
  const multiples = goal.widthStep > 1 ? BLOCK_WIDTHS : ROUND_WIDTHS;
  for (const multiple of multiples) {
    const step = goal.rounding === 'nearest' ? Math.round(exact / multiple) : Math.floor(exact / multiple);
    const width = clamp(step * multiple);
    if (multiple === multiples.at(-1) || Math.abs(width - exact) * limits.fractionPerChannel <= ROUNDING_TOLERANCE) return width;
  }
  return clamp(Math.round(exact));
}

function evenQueriesPerGroup(config: ModelConfig): number {
  const counts = new Set(config.layers.map((layer) => layer.heads / layer.kvHeads));
  const [only] = counts;
  if (counts.size !== 1 || only === undefined) {
    throw new PlanError('The layers of this model share out their attention heads differently, so they cannot all be given the same widths.', {
      hint: 'Choose "best quality", which lets each layer keep its own widths.',
      details: { queryHeadsPerGroup: [...counts].map(String) },
    });
  }
  return only;
}

function planTotals(config: ModelConfig, goal: Goal): WidthBudget {
  const channels = config.layers.reduce((sum, layer) => sum + layer.ffn - fewestKept(layer.ffn), 0);
  const groups = canLoseHeads(config) ? config.layers.reduce((sum, layer) => sum + layer.kvHeads - fewestKept(layer.kvHeads), 0) : 0;
  const before = goal.measure(config);
  // What one channel and one group are worth in the goal's measure, biases included; groups may differ between layers.
  const channelWorth = before - goal.measure(withFirstLayer(config, (layer) => ({ ...layer, ffn: layer.ffn - 1 })));
  const groupWorth = averageGroupWorth(config, goal);
  const toRemove = Math.max(0, before - goal.keep);
  const round = goal.rounding === 'nearest' ? Math.round : Math.ceil;

  const channelsFirst = Math.min(channels, Math.floor(CHANNELS_FIRST_SHARE * config.layers.reduce((sum, layer) => sum + layer.ffn, 0)));
  const beyond = toRemove - channelsFirst * channelWorth;
  const groupsRemoved = beyond <= 0 ? 0 : Math.min(groups, Math.ceil(beyond / groupWorth - 1e-9));
  const channelsRemoved = Math.max(0, round((toRemove - groupsRemoved * groupWorth) / channelWorth - 1e-9));
  if (channelsRemoved > channels) throw goal.tooSmall(before - groups * groupWorth - channels * channelWorth);

  const total = countLinearParameters(config);
  const averageGroup = averageGroupWorth(config, { measure: countLinearParameters });
  const removed = channelsRemoved * channelParameters(config) + groupsRemoved * averageGroup;
  return {
    mode: 'quality', channelsRemoved, kvGroupsRemoved: groupsRemoved,
    removedLinearParameters: removed, removedFraction: removed / total,
  };
}

function withFirstLayer(config: ModelConfig, change: (layer: LayerShape) => LayerShape): ModelConfig {
  return { ...config, layers: config.layers.map((layer, index) => (index === 0 ? change(layer) : layer)) };
}

function averageGroupWorth(config: ModelConfig, goal: Pick<Goal, 'measure'>): number {
  const bare = goal.measure({ ...config, layers: config.layers.map((layer) => ({ ...layer, heads: 0, kvHeads: 0 })) });
  const groups = config.layers.reduce((sum, layer) => sum + layer.kvHeads, 0);
  return (goal.measure(config) - bare) / groups;
}

function removalOf(config: ModelConfig, layers: readonly LayerShape[]): Removal {
  const total = countLinearParameters(config);
  const removed = total - countLinearParameters({ ...config, layers });
  let kvGroupsRemoved = 0;
  let channelsRemoved = 0;
  for (const [index, before] of config.layers.entries()) {
    const after = layers[index] ?? before;
    kvGroupsRemoved += before.kvHeads - after.kvHeads;
    channelsRemoved += before.ffn - after.ffn;
  }
  return { removedLinearParameters: removed, removedFraction: removed / total, kvGroupsRemoved, channelsRemoved };
}

/**
 * The outcome of a size choice, as the window shows it while the slider moves. Exact in mode `everywhere`; in mode
 * `quality` the widths are averages and, where layers differ in heads per group, the totals too.
 * @throws PlanError as `planWidths`.
 */
export function forecastSize(config: ModelConfig, size: Size, mode: Mode, target: ExportTarget): SizeForecast {
  const budget = planWidths(config, size, mode, target);
  const count = config.layers.length;
  const parametersBefore = countParameters(config);
  const bytesBefore = weightBytes(config, target);
  const programs = { opensIn: programsThatOpen(mode, target, config) };
  if (budget.mode === 'everywhere') {
    const { heads, kvHeads, ffn } = budget;
    const after = withEvenWidths(config, { heads, kvHeads, ffn });
    return {
      removedFraction: budget.removedFraction, parametersBefore, parametersAfter: countParameters(after),
      bytesBefore, bytesAfter: weightBytes(after, target), heads, kvHeads, ffn, ...programs,
    };
  }
  const sum = (pick: (layer: LayerShape) => number): number => config.layers.reduce((total, layer) => total + pick(layer), 0);
  const kvHeads = sum((layer) => layer.kvHeads) - budget.kvGroupsRemoved;
  const share = (measure: (config: ModelConfig) => number): number =>
    budget.kvGroupsRemoved * averageGroupWorth(config, { measure }) +
    budget.channelsRemoved * (measure(config) - measure(withFirstLayer(config, (layer) => ({ ...layer, ffn: layer.ffn - 1 }))));
  return {
    removedFraction: budget.removedFraction,
    parametersBefore, parametersAfter: Math.round(parametersBefore - share(countParameters)),
    bytesBefore, bytesAfter: budget.removedFraction === 0 ? bytesBefore : Math.round(oddWeightBytes(config, target) - share((candidate) => oddWeightBytes(candidate, target))),
    heads: ((sum((layer) => layer.heads) / sum((layer) => layer.kvHeads)) * kvHeads) / count,
    kvHeads: kvHeads / count,
    ffn: (sum((layer) => layer.ffn) - budget.channelsRemoved) / count,
    ...programs,
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
