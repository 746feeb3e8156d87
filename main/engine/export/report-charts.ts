/** The charts of a report as inline SVG, without scripts: grouped bars, a line, a heat map. Each stands beside a table of its values. */
import { html, type Markup } from './report-markup';

const WIDTH = 720;
const LABEL_WIDTH = 196;
const BAR_HEIGHT = 16;
const GROUP_GAP = 14;

export interface BarSeries {
  readonly name: string;
  /** Class that gives the bar its colour. */
  readonly tone: 'plain' | 'warm' | 'strong';
}

/** Horizontal bars, grouped; each bar has its value written beside it. */
export function barChart(summary: string, series: readonly BarSeries[], groups: readonly { readonly name: string; readonly values: readonly number[] }[], format: (value: number) => string): Markup {
  const most = Math.max(...groups.flatMap((group) => group.values.filter(Number.isFinite)), Number.MIN_VALUE);
  const groupHeight = series.length * BAR_HEIGHT + GROUP_GAP;
  const scale = (WIDTH - LABEL_WIDTH - 90) / most;
  const height = groups.length * groupHeight + 26;
  const legend = series.map(
    ({ name, tone }, index) => html`<rect class="${tone}" x="${LABEL_WIDTH + index * 150}" y="4" width="12" height="12" rx="2"/><text x="${LABEL_WIDTH + 18 + index * 150}" y="14">${name}</text>`,
  );
  const bars = groups.map(({ name, values }, group) => {
    const top = 26 + group * groupHeight;
    const rows = series.map(({ tone, name: seriesName }, index) => {
      const value = values[index] ?? 0;
      const y = top + index * BAR_HEIGHT;
      const length = Number.isFinite(value) ? Math.max(1, value * scale) : 1;
      return html`<rect class="${tone}" x="${LABEL_WIDTH}" y="${y}" width="${fixed(length)}" height="${BAR_HEIGHT - 3}" rx="2"><title>${name}, ${seriesName}: ${format(value)}</title></rect><text x="${fixed(LABEL_WIDTH + length + 6)}" y="${y + 11}">${format(value)}</text>`;
    });
    return html`<text class="label" x="${LABEL_WIDTH - 8}" y="${top + (series.length * BAR_HEIGHT) / 2 + 3}" text-anchor="end">${shorten(name)}</text>${rows}`;
  });
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${summary}">${legend}${bars}</svg>`;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** One line over numbered steps. */
export function lineChart(summary: string, points: readonly Point[], axes: { readonly x: string; readonly y: string }): Markup {
  const height = 240;
  const [left, right, top, bottom] = [56, WIDTH - 12, 30, height - 36];
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [xLeast, xMost] = [Math.min(...xs), Math.max(...xs)];
  const [yLeast, yMost] = [Math.min(...ys), Math.max(...ys)];
  const x = (value: number): number => left + ((value - xLeast) / (xMost - xLeast || 1)) * (right - left);
  const y = (value: number): number => bottom - ((value - yLeast) / (yMost - yLeast || 1)) * (bottom - top);
  const path = points.map((point, index) => `${index === 0 ? 'M' : 'L'}${fixed(x(point.x))} ${fixed(y(point.y))}`).join('');
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => yLeast + share * (yMost - yLeast));
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${summary}">
${ticks.map((tick) => html`<line class="grid" x1="${left}" x2="${right}" y1="${fixed(y(tick))}" y2="${fixed(y(tick))}"/><text x="${left - 6}" y="${fixed(y(tick) + 4)}" text-anchor="end">${tick.toFixed(2)}</text>`)}
<path class="line" d="${path}"/><text x="${left}" y="${height - 18}">${fixed(xLeast, 0)}</text><text x="${right}" y="${height - 18}" text-anchor="end">${fixed(xMost, 0)}</text>
<text x="${(left + right) / 2}" y="${height - 4}" text-anchor="middle">${axes.x}</text><text x="4" y="12">${axes.y}</text></svg>`;
}

export interface HeatCell {
  readonly row: number;
  readonly column: number;
  readonly value: number;
  readonly name: string;
}

/** Cells shaded by value (0 lightest); rows and columns are named. */
export function heatMap(summary: string, rows: readonly string[], columns: readonly string[], cells: readonly HeatCell[]): Markup {
  const size = Math.min(28, (WIDTH - LABEL_WIDTH) / Math.max(1, columns.length));
  const most = Math.max(...cells.map((cell) => cell.value), Number.MIN_VALUE);
  const height = rows.length * 24 + 24;
  const squares = cells.map(({ row, column, value, name }) => {
    const strength = Math.max(0.04, Math.min(1, value / most));
    return html`<rect class="heat" x="${fixed(LABEL_WIDTH + column * size)}" y="${row * 24 + 2}" width="${fixed(size - 2)}" height="20" rx="2" fill-opacity="${fixed(strength)}"><title>${name}: ${value.toFixed(3)}</title></rect>`;
  });
  const step = Math.ceil(columns.length / 16);
  const labels = columns.map((name, index) => (index % step === 0 ? html`<text x="${fixed(LABEL_WIDTH + index * size + size / 2)}" y="${height - 6}" text-anchor="middle">${name}</text>` : html``));
  return html`<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${summary}">
${rows.map((name, row) => html`<text class="label" x="${LABEL_WIDTH - 8}" y="${row * 24 + 16}" text-anchor="end">${shorten(name)}</text>`)}${squares}${labels}</svg>`;
}

function fixed(value: number, digits = 2): string {
  return String(Number(value.toFixed(digits)));
}

function shorten(name: string): string {
  return name.length > 30 ? `${name.slice(0, 29)}…` : name;
}
