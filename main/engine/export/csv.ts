/** Tables as CSV (RFC 4180) that spreadsheets show and never run: a text that would be read as a formula gets a mark before it. */

import { writeFile } from 'node:fs/promises';
import { toAppError } from '../support/errors';

/** Numbers stay numbers; null is an empty cell. */
export type Cell = string | number | null;

/** What begins a formula in spreadsheets, also after white space (OWASP, CSV injection). */
const FORMULA = /^\s*[=+\-@\uFF0B\uFF0D\uFF1D\uFF20]|^[\t\r\n]/;

/** Lines of a table written at once. */
const LINES_AT_ONCE = 2048;

/** Writes a table, a piece at a time; `wx` refuses a file that exists. Raises what the disk says as AppError. */
export async function writeCsv(file: string, header: readonly string[], rows: Iterable<readonly Cell[]>, flag: 'w' | 'wx' = 'w'): Promise<void> {
  try {
    await writeFile(file, pieces(csvLines(header, rows)), { flag });
  } catch (error) {
    throw toAppError(error, file);
  }
}

function* pieces(lines: Iterable<string>): Generator<string> {
  let piece: string[] = [];
  for (const text of lines) {
    if (piece.push(text) < LINES_AT_ONCE) continue;
    yield piece.join('');
    piece = [];
  }
  yield piece.join('');
}

/** A table's lines, each with its end; the first begins with the mark by which spreadsheets know UTF-8. */
export function* csvLines(header: readonly string[], rows: Iterable<readonly Cell[]>): Generator<string> {
  yield `\uFEFF${line(header)}`;
  for (const row of rows) yield line(row);
}

function line(cells: readonly Cell[]): string {
  return `${cells.map(cellText).join(',')}\r\n`;
}

function cellText(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : '';
  const safe = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
