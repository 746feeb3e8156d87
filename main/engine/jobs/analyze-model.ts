/** Where a model's knowledge sits, on its own: the analyse stage of a run without the run, and its table as CSV. */
import { existsSync } from 'node:fs';
import type { Recipe, RecipeInput } from '../../../preload/contract/recipe';
import { writeCsv, type Cell } from '../export/csv';
import { layerWeightShape, type ModelConfig } from '../model/config';
import { openCheckpoint } from '../model/checkpoint';
import { rankCorrelation } from '../pruning/rank-correlation';
import { findUnitGroups, type Part, type UnitGroup } from '../pruning/units';
import { UsageError } from '../support/errors';
import type { OnProgress } from '../support/progress';
import { analyseModel, analysisWindows } from './analysis';
import { completeRecipe } from './recipe';
import { packSources } from './steps/prepare';
import { withFullModel } from './steps/shared';
import { withExecutor } from './use-model';

export interface AnalyzeOptions {
  /** Names must differ. */
  readonly sources: RecipeInput['sources'];
  /** Share of each group's units that is pruned to see what is lost, 0 to 1; a run's default unless given. */
  readonly ratio?: number | undefined;
  /** Tokens of each source; a run's default unless given. */
  readonly tokens?: number | undefined;
  readonly seed?: number | undefined;
  readonly threads: number;
  readonly memoryLimitBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
  /** Told what was left out. */
  readonly note: (text: string) => void;
}

/** One node group: the key/value groups of a layer with their query heads, or its feed-forward channels. */
export interface AnalyzedGroup {
  /** Counted from 0. */
  readonly layer: number;
  readonly part: Part;
  readonly units: number;
  /** Of all its units. */
  readonly parameters: number;
  /** Rise of each source's loss, in nats a token, when the group is pruned alone. */
  readonly deviation: Readonly<Record<string, number>>;
  readonly meanDeviation: number;
  /** What gate gradients alone say that the mean deviation is. */
  readonly estimate: number;
  /** Whether a run in mode `quality` would keep it whole, room permitting. */
  readonly locked: boolean;
}

export interface AnalyzedModel {
  readonly groups: readonly AnalyzedGroup[];
  readonly ratio: number;
  readonly sources: readonly { readonly name: string; readonly tokens: number }[];
  /** Spearman's correlation of estimates with mean deviations, over all groups and of each part; null where it says nothing. */
  readonly rankCorrelation: { readonly all: number | null; readonly attention: number | null; readonly mlp: number | null };
}

/** Analyses a model on texts with a run's defaults. Throws TextError for texts that are too short, PlanError where nothing can be removed. */
export async function analyzeModel(path: string, options: AnalyzeOptions): Promise<AnalyzedModel> {
  const { signal, memoryLimitBytes, threads, onProgress } = options;
  const recipe = recipeFor(path, options);
  const checkpoint = await openCheckpoint(path);
  const { sources } = await packSources(checkpoint, recipe, { signal, report: () => undefined, note: options.note }).finally(() => checkpoint.close());
  return withExecutor(threads, (executor) =>
    withFullModel({ recipe, signal, memoryLimitBytes }, async (ready) => {
      const analysis = await analyseModel(executor, ready, sources, recipe, { losesAttention: false, signal, onProgress });
      const locked = new Set(analysis.locked);
      const groups = findUnitGroups(ready.model.config).map((group, index): AnalyzedGroup => {
        const deviations = analysis.deviations[index]?.deviations ?? [];
        return {
          layer: group.layer,
          part: group.part,
          units: group.size,
          parameters: countGroup(ready.model.config, group),
          deviation: Object.fromEntries(sources.map(({ name }, at) => [name, deviations[at] ?? Number.NaN])),
          meanDeviation: deviations.reduce((sum, value) => sum + value, 0) / deviations.length,
          estimate: analysis.estimates[index] ?? Number.NaN,
          locked: locked.has(index),
        };
      });
      const correlate = (part: Part | null): number | null => {
        const own = groups.filter((group) => part === null || group.part === part);
        return rankCorrelation(own.map(({ estimate }) => estimate), own.map(({ meanDeviation }) => meanDeviation));
      };
      return {
        groups,
        ratio: recipe.method.analysisRatio,
        sources: analysisWindows(recipe, sources).map(({ name, windows }) => ({ name, tokens: windows.reduce((sum, window) => sum + window.length, 0) })),
        rankCorrelation: { all: correlate(null), attention: correlate('attention'), mlp: correlate('mlp') },
      };
    }),
  );
}

/** A run's settings; its size, budget and place stand for nothing here. */
function recipeFor(path: string, { sources, ratio, tokens, seed }: AnalyzeOptions): Recipe {
  return completeRecipe({
    model: path, out: path, size: { kind: 'ratio', ratio: 0 }, budgetTokens: 0, sources,
    ...(seed === undefined ? {} : { seed }),
    method: { ...(ratio === undefined ? {} : { analysisRatio: ratio }), ...(tokens === undefined ? {} : { analysisTokens: tokens }) },
  });
}

/** Parameters that go if all units of a group go: its units share out every weight that they own a part of. */
function countGroup(config: ModelConfig, { layer, weights }: UnitGroup): number {
  const roles = new Set(weights.map(({ role }) => role));
  return [...roles].reduce((sum, role) => sum + layerWeightShape(config, layer, role).reduce((all, size) => all * size, 1), 0);
}

/** Throws UsageError where a file exists already, so that nobody's file is lost after minutes of work. */
export function requireNewFile(file: string): void {
  if (existsSync(file)) throw new UsageError(`${file} exists already.`, { hint: 'Name a file that does not exist yet.', details: { file } });
}

/** Writes an analysis as a table, one row a group; layers count from 1 as in reports. Throws UsageError where the file exists. */
export async function writeAnalysisCsv(file: string, { groups, sources }: AnalyzedModel): Promise<void> {
  const names = sources.map(({ name }) => name);
  const header = ['layer (from 1)', 'part', 'units', 'parameters', ...names.map((name) => `deviation: ${name}`), 'mean deviation', 'estimate from gates', 'kept whole'];
  const rows = groups.map((group): Cell[] => [
    group.layer + 1, group.part, group.units, group.parameters, ...names.map((name) => group.deviation[name] ?? null),
    group.meanDeviation, group.estimate, group.locked ? 'yes' : 'no',
  ]);
  requireNewFile(file);
  await writeCsv(file, header, rows, 'wx');
}
