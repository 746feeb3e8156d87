/** Knowledge distribution analysis (LoRAShear, Algorithm 3) of a model on packed texts: what the analyse stage of a run and `shear analyze` do alike. */
import * as v from 'valibot';
import type { Recipe } from '../../../preload/contract/recipe';
import { createAdapter } from '../execution/adapter';
import type { Executor } from '../execution/executor';
import { LINEAR_ROLES } from '../model/config';
import { estimateDeviations, flattenGates, openGates, scoreGates } from '../pruning/gate-scores';
import { analyseKnowledge, deviationsOfUnits, keptAtRatio, KnowledgeProbe, mostSensitive, type GroupDeviation, type KnowledgeSource } from '../pruning/knowledge';
import { scoreUnits } from '../pruning/saliency';
import { findUnitGroups, type UnitGroup } from '../pruning/units';
import { NO_PHASES, restoreArrays, savedData, type Phases } from '../support/checkpoint';
import type { OnProgress } from '../support/progress';
import { Random } from '../support/random';
import { blockLength, createSampler, drawRows, type ReadyModel } from './steps/shared';
import { analysisSchema, type Analysis, type BlockSource } from './steps/stage-files';
import { MAX_ANALYSIS_TOKENS } from './training-way';

/** Sequences over which gate gradients are averaged: the order of channels settles at about this many. */
const SCORING_SEQUENCES = 64;
/** Most units of attention that are tried one by one; each costs half a pass over the windows. */
const MAX_MEASURED_UNITS = 256;

export interface AnalysisOptions {
  /** Whether key/value groups will be removed: then each is tried alone, if they are few enough. */
  readonly losesAttention: boolean;
  readonly signal: AbortSignal;
  /** Goes on from what is kept there. */
  readonly phases?: Phases;
  readonly onProgress: OnProgress;
  /** Told each deviation as it is found. */
  readonly onGroup?: (group: UnitGroup, found: GroupDeviation) => void;
}

/** What was measured so far: as in `Analysis`. */
const foundSchema = v.object({ groups: analysisSchema.entries.deviations, units: analysisSchema.entries.unitDeviations });

/** Scores every unit by gate gradients, then prunes each group alone and measures what each source loses. */
export async function analyseModel(
  executor: Executor,
  { model, way }: ReadyModel,
  sources: readonly BlockSource[],
  recipe: Recipe,
  { losesAttention, signal, phases = NO_PHASES, onProgress, onGroup }: AnalysisOptions,
): Promise<Analysis> {
  const groups = findUnitGroups(model.config);
  const random = Random.fromSeed(recipe.seed);
  const adapter = createAdapter(model.config, { rank: recipe.training.rank, alpha: recipe.training.alpha, targets: LINEAR_ROLES, random });

  const blocks = sources.reduce((sum, { training }) => sum + training.length, 0);
  const sequences = drawRows(createSampler(sources, recipe.seed), Math.min(SCORING_SEQUENCES, blocks));
  // A scored sequence costs about six forward passes of one; a group costs half a pass over its windows.
  const windows = analysisWindows(recipe, sources);
  const windowCount = windows.reduce((sum, source) => sum + source.windows.length, 0);
  const scoringCost = 6 * sequences.length;
  const unitGroups = losesAttention ? groupsToMeasure(groups) : new Set<UnitGroup>();
  const unitCount = [...unitGroups].reduce((sum, group) => sum + group.size, 0);
  const total = scoringCost + 0.5 * (groups.length + unitCount) * windowCount;
  const { saved, offer } = phases.phase('measure');
  const gates = saved === null
    ? await scoreGates(executor, model, adapter, sequences, {
        signal,
        checkpoint: phases.phase('score'),
        recompute: way.recompute,
        onProgress: ({ done }) => {
          onProgress({ done: 6 * done, total });
        },
      })
    : openGates(model);
  if (saved !== null) restoreArrays(saved, 'gates', flattenGates(gates));
  const found: v.InferOutput<typeof foundSchema> = saved === null ? { groups: [], units: [] } : savedData(saved, foundSchema);
  const keep = (): Promise<void> => offer(() => ({ data: found, arrays: { gates: flattenGates(gates) } }));

  const scores = await scoreUnits(groups, { model, adapter, gates }, recipe.method.criteria);
  const probe = new KnowledgeProbe(executor, model, windows, way.microBatch);
  await probe.prepare(signal);
  const ratio = recipe.method.analysisRatio;
  const deviations = await analyseKnowledge(probe, groups, scores, {
    ratio,
    signal,
    found: [...found.groups],
    onGroup: (deviation) => {
      const group = groups[deviation.group];
      if (group !== undefined) onGroup?.(group, deviation);
      found.groups.push({ group: deviation.group, deviations: [...deviation.deviations] });
      return keep();
    },
    onProgress: ({ done }) => {
      onProgress({ done: scoringCost + 0.5 * done * windowCount, total });
    },
  });
  let measured = groups.length;
  for (const [index, group] of groups.entries()) {
    const isMeasured = unitGroups.has(group);
    if (isMeasured) measured += group.size;
    if (index < found.units.length) continue;
    found.units.push(isMeasured ? await deviationsOfUnits(probe, group, signal) : null);
    onProgress({ done: scoringCost + 0.5 * measured * windowCount, total });
    await keep();
  }
  return {
    gates: gates.map(({ attention, mlp }) => ({ attention: Array.from(attention), mlp: Array.from(mlp) })),
    deviations: deviations.map(({ group, deviations: own }) => ({ group, deviations: [...own] })),
    estimates: estimateDeviations(groups, gates, groups.map((_, index) => keptAtRatio(scores[index] ?? [], ratio))),
    unitDeviations: found.units,
    locked: mostSensitive(deviations, recipe.method.unprunableShare),
  };
}

/** The groups whose units are tried one by one: those of attention, if they are few enough. */
function groupsToMeasure(groups: readonly UnitGroup[]): Set<UnitGroup> {
  const attention = groups.filter(({ part }) => part === 'attention');
  const units = attention.reduce((sum, group) => sum + group.size, 0);
  return new Set(units <= MAX_MEASURED_UNITS ? attention : []);
}

/** The first training blocks of each source: the others stay unseen by what is decided here. */
export function analysisWindows({ method }: Recipe, sources: readonly BlockSource[]): KnowledgeSource[] {
  const length = blockLength(sources);
  const perSource = Math.min(method.analysisTokens, MAX_ANALYSIS_TOKENS / sources.length);
  const count = Math.max(1, Math.floor(perSource / length));
  return sources.map(({ name, training }) => ({ name, windows: training.slice(0, count) }));
}
