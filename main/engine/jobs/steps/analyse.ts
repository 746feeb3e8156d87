/** Analyse: scores every unit by gate gradients, then maps where each kind of knowledge sits (Algorithm 3). */
import { createAdapter } from '../../execution/adapter';
import { LINEAR_ROLES } from '../../model/config';
import { scoreGates } from '../../pruning/gate-scores';
import { analyseKnowledge, deviationsOfUnits, KnowledgeProbe, mostSensitive, type KnowledgeSource } from '../../pruning/knowledge';
import { scoreUnits } from '../../pruning/saliency';
import { findUnitGroups, type UnitGroup } from '../../pruning/units';
import { Random } from '../../support/random';
import { firstTarget } from '../estimate';
import { planWidths, type WidthBudget } from '../size';
import { MAX_ANALYSIS_TOKENS } from '../training-way';
import { withExecutor } from '../use-model';
import type { RunContext, Step } from '../step';
import { blockLength, createSampler, drawRows, readSources, withFullModel } from './shared';
import { ANALYSIS_FILE, type Analysis, type BlockSource } from './stage-files';

/** Sequences over which gate gradients are averaged: the order of channels settles at about this many. */
const SCORING_SEQUENCES = 64;
/** Most units of attention that are tried one by one; each costs half a pass over the windows. */
const MAX_MEASURED_UNITS = 256;

export const analyseStep: Step = {
  stage: 'analyse',
  run: (context, report) =>
    withExecutor(context.threads, (executor) =>
      withFullModel(context, async ({ model, way }) => {
        const { recipe, signal } = context;
        const sources = await readSources(context);
        const groups = findUnitGroups(model.config);
        const random = Random.fromSeed(recipe.seed);
        const adapter = createAdapter(model.config, { rank: recipe.training.rank, alpha: recipe.training.alpha, targets: LINEAR_ROLES, random });

        const blocks = sources.reduce((sum, { training }) => sum + training.length, 0);
        const sequences = drawRows(createSampler(sources, recipe.seed), Math.min(SCORING_SEQUENCES, blocks));
        // A scored sequence costs about six forward passes of one; a group costs half a pass over its windows.
        const windows = analysisWindows(context, sources);
        const windowCount = windows.reduce((sum, source) => sum + source.windows.length, 0);
        const scoringCost = 6 * sequences.length;
        const unitGroups = groupsToMeasure(groups, planWidths(model.config, recipe.size, recipe.mode, firstTarget(recipe)));
        const unitCount = [...unitGroups].reduce((sum, group) => sum + group.size, 0);
        const total = scoringCost + 0.5 * (groups.length + unitCount) * windowCount;
        const gates = await scoreGates(executor, model, adapter, sequences, {
          signal,
          recompute: way.recompute,
          onProgress: ({ done }) => {
            report({ done: 6 * done, total });
          },
        });

        const scores = await scoreUnits(groups, { model, adapter, gates }, recipe.method.criteria);
        const probe = new KnowledgeProbe(executor, model, windows, way.microBatch);
        await probe.prepare(signal);
        const deviations = await analyseKnowledge(probe, groups, scores, {
          ratio: recipe.method.analysisRatio,
          signal,
          onGroup: ({ group, deviations: found }) => {
            const { layer = 0, part = 'mlp' } = groups[group] ?? {};
            windows.forEach(({ name }, index) => {
              context.emit({ type: 'knowledge', layer, part, source: name, deviation: found[index] ?? 0 });
            });
          },
          onProgress: ({ done }) => {
            report({ done: scoringCost + 0.5 * done * windowCount, total });
          },
        });
        const unitDeviations: (number[] | null)[] = [];
        let measured = groups.length;
        for (const group of groups) {
          const isMeasured = unitGroups.has(group);
          unitDeviations.push(isMeasured ? await deviationsOfUnits(probe, group, signal) : null);
          if (isMeasured) measured += group.size;
          report({ done: scoringCost + 0.5 * measured * windowCount, total });
        }
        const analysis: Analysis = {
          gates: gates.map(({ attention, mlp }) => ({ attention: Array.from(attention), mlp: Array.from(mlp) })),
          deviations: deviations.map(({ group, deviations: found }) => ({ group, deviations: [...found] })),
          unitDeviations,
          locked: mostSensitive(deviations, recipe.method.unprunableShare),
        };
        await context.folder.writeJson(ANALYSIS_FILE, analysis);
      }),
    ),
};

/** The groups whose units are tried one by one: those of attention, if any must go and they are few enough. */
function groupsToMeasure(groups: readonly UnitGroup[], budget: WidthBudget): Set<UnitGroup> {
  const attention = groups.filter(({ part }) => part === 'attention');
  const units = attention.reduce((sum, group) => sum + group.size, 0);
  return new Set(budget.kvGroupsRemoved > 0 && units <= MAX_MEASURED_UNITS ? attention : []);
}

/** The first training blocks of each source: the others stay unseen by what is decided here. */
function analysisWindows({ recipe }: RunContext, sources: readonly BlockSource[]): KnowledgeSource[] {
  const length = blockLength(sources);
  const perSource = Math.min(recipe.method.analysisTokens, MAX_ANALYSIS_TOKENS / sources.length);
  const count = Math.max(1, Math.floor(perSource / length));
  return sources.map(({ name, training }) => ({ name, windows: training.slice(0, count) }));
}
