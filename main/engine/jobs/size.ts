/**
 * How small a model gets: the widths that a wished size leads to, from the configuration alone. The
 * forecast that people see before the start and the pruning itself use these same functions, so they cannot differ.
 */
import type { ExportTarget, Mode, Size } from '../../../preload/contract/recipe';
import type { SizeForecast } from '../../../preload/contract/run';
import { countLinearParameters, countParameters, type LayerShape, type ModelConfig } from '../model/config';
import { canLoseHeads } from '../model/families/index';
import type { UserLocks } from '../pruning/locks';
import { fewestKept, KEPT_SHARES } from '../pruning/select';
import type { Part } from '../pruning/units';
import { PlanError } from '../support/errors';
import { programsThatOpen } from './opens-in';
import { oddMeasure, sizeGoal, unevenHeadBytes, weightBytes, type Goal, type Kept } from './size-goal';

export { weightBytes } from './size-goal';

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
export type WidthBudget = Removal & { readonly locks: UserLocks } & (
    | { readonly mode: 'everywhere'; readonly heads: number; readonly kvHeads: number; readonly ffn: number }
    | {
        readonly mode: 'quality';
        /** The least share of its units that each group keeps. */
        readonly keptShare: number;
      }
  );

/** Linear parameters of one MLP channel: a row of up, and of gate where there is one, and a column of down. */
export function channelParameters(config: ModelConfig): number {
  return (config.design.gated ? 3 : 2) * config.hidden;
}

/** Linear parameters of one key/value group of a layer: rows of k and v, rows of q and columns of o of its query heads. */
export function groupParameters(config: ModelConfig, layer: LayerShape): number {
  return 2 * config.hidden * config.headDim * (1 + layer.heads / layer.kvHeads);
}

/** The configuration with the same widths in every layer. */
export function withEvenWidths(config: ModelConfig, widths: LayerShape): ModelConfig {
  return { ...config, layers: config.layers.map(() => widths) };
}

/**
 * The widths, or totals, that a wished size leads to; `locks` stay whole.
 * @throws PlanError when even the smallest widths are larger than what is asked for, with the limit in words.
 */
export function planWidths(config: ModelConfig, size: Size, mode: Mode, target: ExportTarget, locks: UserLocks = []): WidthBudget {
  const goal = sizeGoal(config, size, mode, target, locks);
  return mode === 'everywhere' ? planEven(config, goal, locks) : planTotals(config, goal, locks);
}

/** What stays beyond what each layer needs, for the error about a size that cannot be reached. */
function keptBeside(config: ModelConfig, mode: Mode, locks: UserLocks): Kept {
  const hasLocks = locks.some((parts) => parts.size > 0);
  const isEven = mode === 'everywhere';
  return {
    notes: [
      ...(canLoseHeads(config) ? [] : ['Its attention heads stay: no program opens this kind of model with fewer, or they are normalised together.']),
      ...(hasLocks && isEven ? ['All layers end with the same widths in this mode, so what you keep whole in one of them stays whole in all.'] : []),
      ...(hasLocks && !isEven ? ['What you keep whole cannot give anything.'] : []),
    ],
    choices: hasLocks ? ['fewer parts to keep whole', ...(isEven ? ['"best quality", where each layer has widths of its own'] : [])] : [],
  };
}

function planEven(config: ModelConfig, goal: Goal, locks: UserLocks): WidthBudget {
  const queriesPerGroup = evenQueriesPerGroup(config);
  const most = {
    kvHeads: Math.min(...config.layers.map((layer) => layer.kvHeads)),
    ffn: Math.min(...config.layers.map((layer) => layer.ffn)),
  };
  refuseWiderLocks(config, locks, most);
  const isLocked = (part: Part): boolean => locks.some((parts) => parts.has(part));
  const widths = (kvHeads: number, ffn: number): LayerShape => ({ kvHeads, heads: kvHeads * queriesPerGroup, ffn });
  const measure = (kvHeads: number, ffn: number): number => goal.measure(withEvenWidths(config, widths(kvHeads, ffn)));
  const fewestGroups = canLoseHeads(config) && !isLocked('attention') ? Math.min(MIN_GROUPS, most.kvHeads) : most.kvHeads;
  const found = (kvHeads: number, ffn: number): WidthBudget => {
    const kept = widths(kvHeads, ffn);
    return { mode: 'everywhere', locks, ...kept, ...removalOf(config, config.layers.map(() => kept)) };
  };
  const tooSmall = (smallest: number): PlanError => goal.tooSmall(smallest, keptBeside(config, 'everywhere', locks));

  let kvHeads = most.kvHeads;
  if (isLocked('mlp')) {
    while (measure(kvHeads, most.ffn) > goal.keep * (1 + 1e-12)) {
      if (kvHeads === fewestGroups) throw tooSmall(measure(kvHeads, most.ffn));
      kvHeads -= 1;
    }
    return found(kvHeads, most.ffn);
  }
  const minChannels = Math.min(Math.max(MIN_CHANNELS, goal.widthStep), most.ffn);
  const exactFfn = (groups: number): number => {
    if (goal.rounding === 'below' && goal.widthStep > 1) return widestBelow(goal, most.ffn, (ffn) => measure(groups, ffn));
    // The measure is a straight line in the feed-forward width: solve it.
    const base = measure(groups, 0);
    return Number.isFinite(goal.keep) ? (goal.keep - base) / (measure(groups, 1) - base) : most.ffn;
  };
  const roundsUp = goal.rounding === 'nearest' ? 0.5 : 1e-6;
  while (kvHeads > fewestGroups && exactFfn(kvHeads) < Math.max((1 - CHANNELS_FIRST_SHARE) * most.ffn, minChannels - roundsUp)) {
    // Where one group is worth more than all the channels that it would spare, the channels go.
    if (exactFfn(kvHeads - 1) >= most.ffn && exactFfn(kvHeads) >= minChannels) break;
    kvHeads -= 1;
  }
  const exact = exactFfn(kvHeads);
  if (exact < minChannels - roundsUp) {
    const smallest = measure(kvHeads, minChannels);
    if (goal.rounding === 'below' || Math.abs(smallest - goal.keep) > ROUNDING_TOLERANCE * goal.measure(config)) throw tooSmall(smallest);
  }
  return found(kvHeads, roundWidth(exact, goal, { least: minChannels, most: most.ffn, fractionPerChannel: fractionPerChannel(config) }));
}

/** Layers end as narrow as the narrowest: a wider one cannot stay whole. */
function refuseWiderLocks(config: ModelConfig, locks: UserLocks, narrowest: Pick<LayerShape, 'kvHeads' | 'ffn'>): void {
  const wider = config.layers.flatMap((layer, index) => [
    ...(locks[index]?.has('attention') === true && layer.kvHeads > narrowest.kvHeads ? [`${index}:attention`] : []),
    ...(locks[index]?.has('mlp') === true && layer.ffn > narrowest.ffn ? [`${index}:mlp`] : []),
  ]);
  if (wider.length === 0) return;
  throw new PlanError(`All layers end as narrow as the narrowest in this mode, so these cannot stay whole: ${wider.join(', ')}.`, {
    hint: 'Choose "best quality", where each layer has widths of its own, or fewer parts to keep whole.',
    details: { locked: wider },
  });
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

function planTotals(config: ModelConfig, goal: Goal, locks: UserLocks): WidthBudget {
  const before = goal.measure(config);
  // What one channel and one group are worth in the goal's measure, biases included; groups may differ between layers.
  const channelWorth = before - goal.measure(withFirstLayer(config, (layer) => ({ ...layer, ffn: layer.ffn - 1 })));
  const groupWorth = averageGroupWorth(config, goal);
  const toRemove = Math.max(0, before - goal.keep);
  const round = goal.rounding === 'nearest' ? Math.round : Math.ceil;
  const own = (part: Part, sizes: readonly number[]): readonly number[] => sizes.filter((_, layer) => locks[layer]?.has(part) !== true);
  const channelsOf = own('mlp', config.layers.map((layer) => layer.ffn));
  const groupsOf = canLoseHeads(config) ? own('attention', config.layers.map((layer) => layer.kvHeads)) : [];
  const spare = (sizes: readonly number[], keptShare: number): number => sizes.reduce((sum, size) => sum + size - fewestKept(size, keptShare), 0);

  let smallest = before;
  for (const keptShare of KEPT_SHARES) {
    const [channels, groups] = [spare(channelsOf, keptShare), spare(groupsOf, keptShare)];
    const channelsFirst = Math.min(channels, Math.floor(CHANNELS_FIRST_SHARE * channelsOf.reduce((sum, size) => sum + size, 0)));
    const beyond = toRemove - channelsFirst * channelWorth;
    const groupsRemoved = beyond <= 0 ? 0 : Math.min(groups, Math.ceil((beyond + goal.unevenHeads) / groupWorth - 1e-9));
    const extra = groupsRemoved > 0 ? goal.unevenHeads : 0;
    const channelsRemoved = Math.max(0, round((toRemove + extra - groupsRemoved * groupWorth) / channelWorth - 1e-9));
    smallest = before - groups * groupWorth - channels * channelWorth + (groups > 0 ? goal.unevenHeads : 0);
    if (channelsRemoved > channels) continue;
    const removed = channelsRemoved * channelParameters(config) + groupsRemoved * averageGroupWorth(config, { measure: countLinearParameters });
    return {
      mode: 'quality', locks, keptShare, channelsRemoved, kvGroupsRemoved: groupsRemoved,
      removedLinearParameters: removed, removedFraction: removed / countLinearParameters(config),
    };
  }
  throw goal.tooSmall(smallest, keptBeside(config, 'quality', locks));
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
export function forecastSize(config: ModelConfig, size: Size, mode: Mode, target: ExportTarget, locks: UserLocks = []): SizeForecast {
  const budget = planWidths(config, size, mode, target, locks);
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
  const extra = budget.kvGroupsRemoved > 0 ? unevenHeadBytes(config, target) : 0;
  const measureFile = oddMeasure(config, target, locks);
  const share = (measure: (config: ModelConfig) => number): number =>
    budget.kvGroupsRemoved * averageGroupWorth(config, { measure }) +
    budget.channelsRemoved * (measure(config) - measure(withFirstLayer(config, (layer) => ({ ...layer, ffn: layer.ffn - 1 }))));
  return {
    removedFraction: budget.removedFraction,
    parametersBefore, parametersAfter: Math.round(parametersBefore - share(countParameters)),
    bytesBefore, bytesAfter: budget.removedFraction === 0 ? bytesBefore : Math.round(measureFile(config) + extra - share(measureFile)),
    heads: ((sum((layer) => layer.heads) / sum((layer) => layer.kvHeads)) * kvHeads) / count,
    kvHeads: kvHeads / count,
    ffn: (sum((layer) => layer.ffn) - budget.channelsRemoved) / count,
    ...programs,
  };
}
