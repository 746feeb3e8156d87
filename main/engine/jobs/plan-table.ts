/** A pruning plan explained: for each unit whether it stays, and the score, threshold, lock and text behind that, as a table. */
import type { Recipe } from '../../../preload/contract/recipe';
import type { LockedBy } from '../../../preload/contract/run';
import type { Cell } from '../export/csv';
import type { ModelConfig } from '../model/config';
import { lockedBy, type PlannedGroup, type PruningPlan } from '../pruning/plan';
import type { Analysis } from './steps/stage-files';

/** Columns of the table; places count from 1, as in reports. */
export const PLAN_COLUMNS = [
  'layer (from 1)', 'part', 'unit (from 1)', 'kept', 'score', 'threshold', 'scored by', 'removed in period',
  'rise of the mean loss when its group is pruned alone', 'text that suffers most then', 'rise for that text', 'group kept whole', 'why',
] as const;

/** What stands for the formula where each unit was taken away by itself. */
const MEASURED = 'rise of the loss without this unit';

export interface PlanTableInput {
  readonly plan: PruningPlan;
  readonly analysis: Analysis;
  readonly recipe: Pick<Recipe, 'mode' | 'method'>;
  /** Names of the sources in the order of the analysis. */
  readonly sources: readonly string[];
}

/** One row a unit, by group, in the order of `PLAN_COLUMNS`. */
export function* planRows({ plan, analysis, recipe, sources }: PlanTableInput): Generator<Cell[]> {
  const formula = formulaOf(recipe);
  const thresholds = thresholdsOf(plan, recipe.mode);
  for (const [index, group] of plan.groups.entries()) {
    const { deviations = [] } = analysis.deviations.find((found) => found.group === index) ?? {};
    const most = deviations.indexOf(Math.max(...deviations));
    const knowledge: Cell[] = [
      deviations.length === 0 ? null : rounded(deviations.reduce((sum, value) => sum + value, 0) / deviations.length),
      sources[most] ?? null,
      deviations[most] === undefined ? null : rounded(deviations[most]),
      group.locked ? 'yes' : 'no',
    ];
    const isMeasured = (analysis.unitDeviations[index] ?? null) !== null;
    const kept = new Set(group.kept);
    const own = thresholds.get(clusterOf(group, recipe.mode)) ?? new Map<number, number>();
    for (let unit = 0; unit < group.size; unit++) {
      const score = group.scores[unit] ?? Number.NaN;
      const period = group.removedIn?.[unit] ?? null;
      const threshold = group.locked ? null : (own.get(period ?? LAST) ?? null);
      yield [
        group.layer + 1, group.part, unit + 1, kept.has(unit) ? 'yes' : 'no', rounded(score), threshold === null ? null : rounded(threshold),
        isMeasured ? MEASURED : formula, period === null ? null : period + 1, ...knowledge,
        reason({ isKept: kept.has(unit), locked: lockedBy(group), score, threshold }),
      ];
    }
  }
}

/** Bytes of a row besides the names in it: places, six numbers of up to a dozen characters, words and the longest reason. */
const ROW_BYTES = 150;

/** Bytes that the table takes at most for a model of this configuration; few rows are as long. */
export function planTableBytes(config: ModelConfig, recipe: Pick<Recipe, 'method' | 'sources'>): number {
  const units = config.layers.reduce((sum, { heads, ffn }) => sum + heads + ffn, 0);
  const name = Math.max(0, ...recipe.sources.map((source) => Buffer.byteLength(source.name)));
  return (units + 4) * (ROW_BYTES + Math.max(MEASURED.length, formulaOf(recipe).length) + name);
}

/** What scores are made of. */
function formulaOf({ method }: Pick<Recipe, 'method'>): string {
  const criteria = Object.entries(method.criteria).filter(([, weight]) => weight > 0);
  return criteria.map(([name, weight]) => (criteria.length === 1 ? name : `${weight} ${name}`)).join(' + ');
}

/** Stands for the last period in which units of a cluster went: it decided about those that stay. */
const LAST = -1;

/** Units compete with those of their own group where all layers end equal, else with all of their part. */
function clusterOf({ layer, part }: PlannedGroup, mode: Recipe['mode']): string {
  return mode === 'everywhere' ? `${part} ${layer}` : part;
}

/** By cluster and period, the highest score that went. Units without a period, of older plans, count for the last one alone. */
function thresholdsOf(plan: PruningPlan, mode: Recipe['mode']): Map<string, Map<number, number>> {
  const found = new Map<string, Map<number, number>>();
  for (const group of plan.groups) {
    const own = found.get(clusterOf(group, mode)) ?? new Map<number, number>();
    found.set(clusterOf(group, mode), own);
    const kept = new Set(group.kept);
    group.scores.forEach((score, unit) => {
      if (kept.has(unit)) return;
      const period = group.removedIn?.[unit] ?? LAST;
      own.set(period, Math.max(own.get(period) ?? -Infinity, score));
    });
  }
  for (const own of found.values()) {
    const last = own.get(Math.max(...own.keys()));
    if (last !== undefined) own.set(LAST, last);
  }
  return found;
}

function reason({ isKept, locked, score, threshold }: { isKept: boolean; locked: LockedBy; score: number; threshold: number | null }): string {
  if (!isKept) return 'among the lowest scores';
  if (locked !== null) return locked === 'user' ? 'locked by you' : 'its group is among the most sensitive';
  if (threshold === null) return 'nothing of this kind had to go';
  return score >= threshold ? 'its score is not below the threshold' : 'its group may lose no more';
}

/** Six significant digits: enough to order units, and a smaller file. */
function rounded(value: number): number {
  return Number(value.toPrecision(6));
}
