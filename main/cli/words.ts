/** Numbers and small tables as the command line prints them. */
import type { Size } from '../../preload/contract/recipe';
import { asBytes, asCount, asDuration, asFigure, asPercent } from '../engine/jobs/report-words';

export { asBytes, asCount, asDuration, asFigure, asPercent };

/** A wished size: `20% smaller`, `at most 100 MB`. */
export function asSize(size: Size): string {
  switch (size.kind) {
    case 'ratio':
      return `${asPercent(size.ratio)} smaller`;
    case 'bytes':
      return `at most ${asBytes(size.bytes)}`;
    case 'parameters':
      return `at most ${asCount(size.parameters)} parameters`;
    case 'memory':
      return `to run in ${asBytes(size.bytes)} of memory`;
  }
}

/** Rows as aligned columns: the first `left` of them to the left, the others (numbers) to the right. */
export function columns(rows: readonly (readonly string[])[], left = 1): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) => row.map((cell, index) => (index < left ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))).join('  ').trimEnd())
    .join('\n');
}

/** Names and values, one pair a line. */
export function pairs(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}
