/**
 * The report of a run: one HTML file that opens from the disk without network or scripts, with charts, their tables,
 * and everything needed to repeat the run. All text that came from files or people is escaped.
 */
import type { Recipe } from '../../../preload/contract/recipe';
import type { LayerLocks, LockedBy, RunEvent, RunResult } from '../../../preload/contract/run';
import { barChart, heatMap, lineChart, type HeatCell } from './report-charts';
import { html, Markup, table } from './report-markup';
import { REPORT_STYLE } from './report-style';
import { asBytes, asCount, asDuration, asFigure, asPercent } from './report-text';

/** What a report is made of. */
export interface ReportInput {
  /** Name of the model for people. */
  readonly modelName: string;
  readonly recipe: Recipe;
  readonly result: RunResult;
  readonly events: readonly RunEvent[];
  readonly finishedAt: Date;
}

/** The report as one self-contained HTML document. */
export function renderReport(input: ReportInput): string {
  const { modelName, result, recipe, finishedAt } = input;
  const title = `${modelName}, ${asPercent(1 - result.after.parameters / result.before.parameters)} smaller`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${new Markup(REPORT_STYLE)}</style></head>
<body><main>
<h1>${title}</h1>
<p class="soft">Made by Shear on ${finishedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC in ${asDuration(result.seconds)}, run ${result.runId}.</p>
${cards(result)}
${quality(result)}
${training(input.events)}
${knowledge(input.events, input.result.layers.some(({ locked }) => locked.attention === 'knowledge' || locked.mlp === 'knowledge'))}
${layers(result)}
${samples(result)}
${files(result)}
<h2>How to repeat this</h2>
<p>The recipe decides everything. Saved as a file, <code>shear compress MODEL --recipe FILE --out FOLDER</code> runs it again.</p>
<details><summary>Show the recipe</summary><pre>${JSON.stringify(recipe, null, 2)}</pre></details>
</main></body></html>
`;
  return page.text;
}

function cards(result: RunResult): Markup {
  const { before, after } = result;
  const rows: readonly (readonly [string, string, string])[] = [
    ['Parameters', asCount(before.parameters), asCount(after.parameters)],
    ['Size of the weights', asBytes(before.bytes), asBytes(after.bytes)],
    ['Speed, tokens a second', asFigure(before.tokensPerSecond), asFigure(after.tokensPerSecond)],
    ['Removed of the layers’ weights', '', asPercent(result.removedFraction)],
    ['Most memory used', '', asBytes(result.peakBytes)],
  ];
  return html`<div class="cards">${rows.map(
    ([name, was, is]) => html`<div class="card"><span>${name}</span><strong>${is}</strong>${was === '' ? html`` : html`<span>was ${was}</span>`}</div>`,
  )}</div>`;
}

function quality(result: RunResult): Markup {
  if (result.perplexities.length === 0) return html``;
  const series = [{ name: 'Original', tone: 'plain' }, { name: 'Just pruned', tone: 'warm' }, { name: 'Recovered', tone: 'strong' }] as const;
  const groups = result.perplexities.map(({ source, full, pruned, recovered }) => ({ name: source, values: [full, pruned, recovered] }));
  const summary = `Perplexity of each text. ${result.perplexities.map((row) => `${row.source}: ${asFigure(row.full)}, pruned ${asFigure(row.pruned)}, recovered ${asFigure(row.recovered)}`).join('. ')}.`;
  return html`<h2>How well it still knows the texts</h2>
<p>Perplexity says how surprised a model is by a text it has not been trained on here: lower is better, and equal to the original means that nothing measurable was lost.</p>
${barChart(summary, series, groups, asFigure)}
${table('Perplexity on held-back parts of each text', ['Text', 'Original', 'Just pruned', 'Recovered', 'Change', 'Tokens measured'], result.perplexities.map((row) => [
    row.source, asFigure(row.full), asFigure(row.pruned), asFigure(row.recovered), signed(row.recovered / row.full - 1), asCount(row.tokens),
  ]))}`;
}

function training(events: readonly RunEvent[]): Markup {
  // A run that was killed and continued tells some steps again.
  const byStep = new Map(events.flatMap((event) => (event.type === 'loss' && Number.isFinite(event.loss) ? [[`${event.stage} ${event.step}`, event.loss] as const] : [])));
  const losses = [...byStep.values()];
  if (losses.length < 2) return html``;
  const points = thin(losses.map((y, index) => ({ x: index + 1, y })), 400);
  const [first, last] = [losses[0] ?? 0, losses.at(-1) ?? 0];
  const summary = `Training loss over ${losses.length} steps, from ${first.toFixed(3)} to ${last.toFixed(3)}.`;
  const rows = thin(losses.map((loss, index) => [String(index + 1), loss.toFixed(4)]), 24);
  return html`<h2>Training</h2><p>${summary}</p>${lineChart(summary, points, { x: 'Training step', y: 'Loss' })}
<details><summary>Show as a table</summary>${table('Loss at some of the steps', ['Step', 'Loss (nats a token)'], rows)}</details>`;
}

function knowledge(events: readonly RunEvent[], keptWhole: boolean): Markup {
  const seen = [...new Map(events.flatMap((event) => (event.type === 'knowledge' ? [[`${event.source} ${event.part} ${event.layer}`, event] as const] : []))).values()];
  if (seen.length === 0) return html``;
  const rowOf = ({ source, part }: (typeof seen)[number]): string => `${source}, ${part === 'mlp' ? 'feed-forward' : part}`;
  const rows = [...new Set(seen.map(rowOf))];
  const count = Math.max(...seen.map((event) => event.layer)) + 1;
  const cells = seen.map((event): HeatCell => ({
    row: rows.indexOf(rowOf(event)), column: event.layer, value: Math.max(0, event.deviation),
    name: `${rowOf(event)} of layer ${event.layer + 1}`,
  }));
  const columns = Array.from({ length: count }, (_, index) => String(index + 1));
  const value = (layer: number, row: string): string => {
    const event = seen.find((one) => one.layer === layer && rowOf(one) === row);
    return event === undefined ? '' : event.deviation.toFixed(3);
  };
  const summary = 'How much each text suffers when one part of one layer is pruned alone; darker means more.';
  return html`<h2>Where the knowledge sits</h2><p>${summary}${keptWhole ? ' The parts that matter most were kept whole.' : ''}</p>
${heatMap(summary, rows, columns, cells)}
<details><summary>Show as a table</summary>${table('Rise of the loss (nats a token)', ['Layer', ...rows], columns.map((name, layer) => [name, ...rows.map((row) => value(layer, row))]))}</details>`;
}

function layers(result: RunResult): Markup {
  if (result.layers.length === 0) return html``;
  const kept = result.layers.map((layer, index) => ({ name: `Layer ${index + 1}`, values: [layer.kvHeads / layer.kvHeadsBefore, layer.ffn / layer.ffnBefore] }));
  const summary = 'Share of the attention groups and of the feed-forward channels that each layer keeps.';
  return html`<h2>What was removed</h2><p>${summary} Beside this report, <code>plan.csv</code> says of every single one whether it stays, and why.</p>
${barChart(summary, [{ name: 'Attention kept', tone: 'plain' }, { name: 'Feed-forward kept', tone: 'strong' }], kept, asPercent)}
<details><summary>Show as a table</summary>${table('Widths of each layer', ['Layer', 'Attention groups', 'Feed-forward channels', 'Protected'], result.layers.map((layer, index) => [
    String(index + 1), `${layer.kvHeads} of ${layer.kvHeadsBefore}`, `${asCount(layer.ffn)} of ${asCount(layer.ffnBefore)}`, protectedParts(layer.locked),
  ]))}</details>`;
}

/** Which parts of a layer were kept whole, and by whom. */
function protectedParts({ attention, mlp }: LayerLocks): string {
  const said = (part: string, by: LockedBy): string[] => (by === null ? [] : [by === 'user' ? `${part} (locked by you)` : part]);
  const parts = [...said('attention', attention), ...said('feed-forward', mlp)];
  return parts.length === 0 ? 'no' : parts.join(', ');
}

function samples(result: RunResult): Markup {
  if (result.samples.length === 0) return html``;
  return html`<h2>The two models side by side</h2>${result.samples.map(
    ({ prompt, before, after }) => html`<p class="said">${prompt}</p><div class="pair"><div><span class="soft">Original</span><p class="said">${before}</p></div><div><span class="soft">Smaller</span><p class="said">${after}</p></div></div>`,
  )}`;
}

function files(result: RunResult): Markup {
  if (result.exports.length === 0) return html``;
  const rows = result.exports.flatMap((exported) =>
    exported.files.map((file) => [file.path, asBytes(file.bytes), exported.target.dtype, exported.maxLogitDifference.toExponential(1), exported.allowedDifference.toExponential(1)]),
  );
  const notes = [...new Set(result.exports.flatMap((exported) => exported.notes))];
  return html`<h2>The files</h2><p>Every model file was opened again from the disk and its answers compared with the model in memory: the largest difference is what storing its numbers in fewer bits explains.</p>
${table('Files written', ['File', 'Size', 'Numbers as', 'Largest difference', 'Explained by rounding'], rows)}
${notes.length === 0 ? html`` : html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}`;
}

function signed(share: number): string {
  return `${share >= 0 ? '+' : '−'}${asPercent(Math.abs(share))}`;
}

/** Keeps the ends and about `count` of the items between. */
function thin<Item>(items: readonly Item[], count: number): Item[] {
  const step = Math.max(1, Math.ceil(items.length / count));
  return items.filter((_, index) => index % step === 0 || index === items.length - 1);
}
