/** Turns a run's figures into what the charts, their sentences and their tables show; pure. */
import type { LockedBy } from '../../preload/contract/run';
import { latestPerplexity, sourcesOf, type LayerWidths, type LossPoint, type Part, type RunView } from '../state/run-view';
import { text } from '../text/catalogue';
import { formatCount, formatFigure } from '../text/format';

/** Points that a line shows at most; more are averaged together. */
const MOST_POINTS = 300;
/** Rows of the loss table at most. */
const MOST_ROWS = 60;

/** One line of a line chart; `colour` names a token without its dashes, `x` counts steps. */
export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly isDashed: boolean;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** The loss over all training steps of the run, one line for each stage, numbered through. */
export function lossLines(losses: readonly LossPoint[]): readonly Line[] {
  const numbered = losses.map((point, index) => ({ x: index + 1, y: point.loss, stage: point.stage }));
  const isRecovery = (stage: string): boolean => stage === 'recover';
  return [
    { name: text.run.pruning, colour: 'series-pruned', isDashed: true, points: thin(numbered.filter((point) => !isRecovery(point.stage))) },
    { name: text.run.recovering, colour: 'series-recovered', isDashed: false, points: thin(numbered.filter((point) => isRecovery(point.stage))) },
  ].filter((line) => line.points.length > 0);
}

/** Step, stage and loss, thinned to a table that can be read. */
export function lossRows(losses: readonly LossPoint[]): readonly (readonly string[])[] {
  const stride = Math.max(1, Math.ceil(losses.length / MOST_ROWS));
  return losses
    .map((point, index) => [formatCount(index + 1), text.run.stages[point.stage].name, formatFigure(point.loss)])
    .filter((_, index) => index % stride === 0 || index === losses.length - 1);
}

/** What the loss chart says: ends averaged over a few steps, because single steps jump. */
export function lossSummary(losses: readonly LossPoint[]): string {
  if (losses.length === 0) return text.run.lossNone;
  const window = Math.max(1, Math.min(10, Math.floor(losses.length / 4)));
  return text.run.lossSummary(mean(losses.slice(0, window)), mean(losses.slice(-window)), losses.length);
}

/** Perplexities of one text; those that are not measured yet are null. */
export interface PerplexityRow {
  readonly source: string;
  readonly full: number | null;
  readonly pruned: number | null;
  readonly recovered: number | null;
}

/** The newest perplexities of each text. */
export function perplexitiesOf(view: RunView): readonly PerplexityRow[] {
  return sourcesOf(view).map((source) => ({
    source,
    full: latestPerplexity(view, source, 'full'),
    pruned: latestPerplexity(view, source, 'pruned'),
    recovered: latestPerplexity(view, source, 'recovered'),
  }));
}

/** A perplexity up to this many times the full model's counts as about as good. */
const AS_GOOD = 1.02;

/** What the perplexity chart says: how many texts are as good as before, and which lost most. */
export function perplexitySummary(rows: readonly PerplexityRow[]): string {
  const measured = rows.flatMap(({ source, full, pruned, recovered }) =>
    full === null ? [] : [{ source, full, now: recovered ?? pruned }],
  );
  const both = measured.flatMap(({ source, full, now }) => (now === null ? [] : [{ source, full, now, ratio: now / full }]));
  const [worst] = [...both].sort((a, b) => b.ratio - a.ratio);
  if (worst !== undefined) {
    const asGood = both.filter((row) => row.ratio <= AS_GOOD).length;
    return text.run.perplexityNow(asGood, both.length, worst.source, worst.full, worst.now);
  }
  const sorted = [...measured].sort((a, b) => a.full - b.full);
  const low = sorted.at(0);
  const high = sorted.at(-1);
  if (low === undefined || high === undefined) return text.run.perplexityNone;
  return text.run.perplexityFull(measured.length, low.source, low.full, high.source, high.full);
}

/** One group of bars for each text, one bar for each phase measured so far. */
export function perplexityGroups(rows: readonly PerplexityRow[]) {
  const phases = ['full', 'pruned', 'recovered'] as const;
  return rows.map((row) => ({
    name: row.source,
    bars: phases.flatMap((phase) => {
      const value = row[phase];
      return value === null ? [] : [{ name: text.run.phases[phase], look: phase, value, shown: formatFigure(value) }];
    }),
  }));
}

/** The perplexity table: a row for each text, a column for each phase. */
export function perplexityRows(rows: readonly PerplexityRow[]): readonly (readonly string[])[] {
  const figure = (value: number | null): string => (value === null ? '–' : formatFigure(value));
  return rows.map((row) => [row.source, figure(row.full), figure(row.pruned), figure(row.recovered)]);
}

/** What the knowledge map says: the place whose removal hurts most, and whether such places are spared. */
export function knowledgeSummary(view: RunView): string {
  const first = view.knowledge[0];
  if (first === undefined) return text.run.mapNone;
  const worst = view.knowledge.reduce((most, cell) => (cell.deviation > most.deviation ? cell : most), first);
  return text.run.mapSummary(text.run.mapPlace(text.run[worst.part], worst.layer), worst.source, worst.deviation, view.layers.some(({ locked }) => locked.attention === 'knowledge' || locked.mlp === 'knowledge'));
}

/** The knowledge table: a row for each text and layer. */
export function knowledgeRows(view: RunView): readonly (readonly string[])[] {
  const found = new Map(view.knowledge.map((cell) => [`${cell.source} ${cell.layer} ${cell.part}`, cell.deviation]));
  const sources = [...new Set(view.knowledge.map((cell) => cell.source))];
  const layers = [...new Set(view.knowledge.map((cell) => cell.layer))].sort((a, b) => a - b);
  const figure = (value: number | undefined): string => (value === undefined ? '–' : formatFigure(value));
  return sources.flatMap((source) =>
    layers.map((layer) => [
      source, String(layer + 1), figure(found.get(`${source} ${layer} attention`)), figure(found.get(`${source} ${layer} mlp`)),
    ]),
  );
}

/** What the widths chart says: shares that stay over all layers. */
export function widthsSummary(layers: readonly LayerWidths[]): string {
  if (layers.length === 0) return text.run.widthsNone;
  const sum = (pick: (layer: LayerWidths) => number): number => layers.reduce((total, layer) => total + pick(layer), 0);
  return text.run.widthsSummary(
    sum((layer) => layer.kvHeads) / Math.max(1, sum((layer) => layer.kvHeadsBefore)),
    sum((layer) => layer.ffn) / Math.max(1, sum((layer) => layer.ffnBefore)),
  );
}

/** One part of a layer before and after. */
export interface PartWidths {
  readonly part: Part;
  readonly now: number;
  readonly before: number;
  /** Who keeps it whole, while other layers lose some of this part; null where nobody does. */
  readonly spared: LockedBy;
}

/** The two parts of each layer. Earlier versions told only which layers hold something spared; which part that is, the widths say. */
export function partsOf(layers: readonly LayerWidths[]): readonly { readonly layer: number; readonly parts: readonly PartWidths[] }[] {
  const attention = (layer: LayerWidths): Omit<PartWidths, 'spared'> => ({ part: 'attention', now: layer.kvHeads, before: layer.kvHeadsBefore });
  const mlp = (layer: LayerWidths): Omit<PartWidths, 'spared'> => ({ part: 'mlp', now: layer.ffn, before: layer.ffnBefore });
  return layers.map((layer) => ({
    layer: layer.layer,
    parts: [attention, mlp].map((pick) => {
      const own = pick(layer);
      const isCutElsewhere = layers.some((other) => pick(other).now < pick(other).before);
      return { ...own, spared: own.now === own.before && isCutElsewhere ? layer.locked[own.part] : null };
    }),
  }));
}

/** The widths table. */
export function widthsRows(layers: readonly LayerWidths[]): readonly (readonly string[])[] {
  return partsOf(layers).map(({ layer, parts }) => [
    String(layer + 1),
    ...parts.map(({ now, before, spared }) => `${text.run.kept(now, before)}${spared === null ? '' : ` (${text.run.locked[spared]})`}`),
  ]);
}

function mean(points: readonly LossPoint[]): number {
  return points.reduce((sum, point) => sum + point.loss, 0) / points.length;
}

/** Averages neighbours so that a line has at most MOST_POINTS points. */
function thin(points: readonly { readonly x: number; readonly y: number }[]): readonly { readonly x: number; readonly y: number }[] {
  const stride = Math.ceil(points.length / MOST_POINTS);
  if (stride <= 1) return points.map(({ x, y }) => ({ x, y }));
  const thinned: { x: number; y: number }[] = [];
  for (let start = 0; start < points.length; start += stride) {
    const part = points.slice(start, start + stride);
    thinned.push({
      x: part.reduce((sum, point) => sum + point.x, 0) / part.length,
      y: part.reduce((sum, point) => sum + point.y, 0) / part.length,
    });
  }
  return thinned;
}
