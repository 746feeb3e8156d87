/**
 * Rows of CSV and TSV tables (RFC 4180, and what spreadsheets make of it): the first row names the columns; cells in
 * quotes may hold delimiters, line breaks and doubled quotes; line ends are LF, CRLF or CR.
 */
import path from 'node:path';
import { TextError } from '../support/errors';
import type { Row, RowRequest } from './row';
import { readUtf8Chunks, withoutByteOrderMark } from './utf8-file';

/** A row is held in memory whole. */
const MAX_ROW_CHARACTERS = 64 * 1024 * 1024;
const MAX_COLUMNS = 4096;
/** Delimiters are told apart by the first row, which is read from the beginning of the file. */
const SNIFFED_CHARACTERS = 1 << 16;

/** A row's cells, before they are known by their columns. */
interface Cells {
  readonly row: number;
  readonly cells: readonly string[];
  /** What is wrong with its quotes, if anything. */
  readonly broken?: string;
}

/**
 * Rows as objects of texts by column name. The one of `delimiters` that cuts the first row into most cells counts.
 * Rows with more or fewer cells than the first, and rows with quotes inside or without an end, are broken; blank rows
 * are passed over. Raises TextError for a row beyond 64 million characters and for more than 4,096 columns.
 */
export async function* readDelimitedRows(file: string, delimiters: readonly string[], request: RowRequest): AsyncGenerator<Row> {
  let names: readonly string[] | null = null;
  for await (const { row, cells, broken } of readCells(file, delimiters, request)) {
    if (cells.length === 1 && cells[0]?.trim() === '' && broken === undefined && (names === null || names.length > 1)) continue;
    if (names === null) {
      names = columnNames(cells);
      request.onColumns(names);
      if (broken === undefined) continue;
    }
    if (broken !== undefined) {
      yield { row, broken, code: 'row-quotes', hint: 'A quote inside a cell in quotes is written twice: "".' };
    } else if (cells.length !== names.length) {
      const counted = `${cells.length} cell${cells.length === 1 ? '' : 's'}`;
      yield { row, broken: `has ${counted}; the first row names ${names.length} columns`, code: 'row-cells', hint: 'A cell with delimiters or line breaks in it needs quotes around it.' };
    } else {
      yield { row, value: Object.fromEntries(names.map((name, index) => [name, cells[index] ?? ''])) };
    }
  }
}

async function* readCells(file: string, delimiters: readonly string[], request: RowRequest): AsyncGenerator<Cells> {
  let scanner: CellScanner | null = null;
  let first = true;
  for await (const chunk of readUtf8Chunks(file, request)) {
    const text = first ? withoutByteOrderMark(chunk) : chunk;
    first = false;
    scanner ??= new CellScanner(file, bestDelimiter(file, text.slice(0, SNIFFED_CHARACTERS), delimiters));
    yield* scanner.add(text);
  }
  if (scanner !== null) yield* scanner.end();
}

/** The delimiter that cuts the first row into most cells; the first of equals. */
function bestDelimiter(file: string, beginning: string, delimiters: readonly string[]): string {
  let [best, most] = [delimiters[0] ?? ',', 0];
  for (const delimiter of delimiters) {
    const scanner = new CellScanner(file, delimiter);
    const [row] = [...scanner.add(beginning), ...scanner.end()];
    const count = row?.cells.length ?? 0;
    if (count > most) [best, most] = [delimiter, count];
  }
  return best;
}

/** Names of all columns, each once: nameless ones by their place, repeated ones with a number. */
function columnNames(cells: readonly string[]): readonly string[] {
  const names = new Set<string>();
  for (const [index, cell] of cells.entries()) {
    const given = cell.trim() === '' ? `column ${index + 1}` : cell.trim();
    let name = given;
    for (let number = 2; names.has(name); number++) name = `${given} (${number})`;
    names.add(name);
  }
  return [...names];
}

type Place = 'start' | 'plain' | 'quoted' | 'closed';

/** Cuts pieces of a table into rows of cells, whatever the pieces' borders. */
class CellScanner {
  private readonly delimiter: number;
  private place: Place = 'start';
  private row = 1;
  private cells: string[] = [];
  private cell: string[] = [];
  private characters = 0;
  private broken: string | undefined;
  /** CR may be half of CRLF. */
  private afterReturn = false;

  constructor(
    private readonly file: string,
    delimiter: string,
  ) {
    this.delimiter = delimiter.charCodeAt(0);
  }

  *add(text: string): Generator<Cells> {
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (this.afterReturn) {
        this.afterReturn = false;
        if (code === LINE_FEED) {
          start = at + 1;
          continue;
        }
      }
      if (this.place === 'quoted') {
        if (code !== QUOTE) continue;
        this.cell.push(text.slice(start, at));
        start = at + 1;
        this.place = 'closed';
        continue;
      }
      if (code === QUOTE && this.place === 'start') {
        this.place = 'quoted';
        start = at + 1;
        continue;
      }
      if (code === QUOTE && this.place === 'closed') {
        // Doubled: the quote itself; it stays in the text as what follows is cut from here.
        this.place = 'quoted';
        start = at;
        continue;
      }
      if (code === this.delimiter || code === LINE_FEED || code === RETURN) {
        this.endCell(text.slice(start, at));
        start = at + 1;
        if (code === this.delimiter) {
          if (this.cells.length > MAX_COLUMNS) throw this.tooLarge(`more than ${MAX_COLUMNS} cells`);
          continue;
        }
        this.afterReturn = code === RETURN;
        yield this.endRow();
        continue;
      }
      if (this.place === 'closed') this.broken ??= `has something after the end of a quoted cell (cell ${this.cells.length + 1})`;
      else this.place = 'plain';
    }
    const rest = text.slice(start);
    this.cell.push(rest);
    this.characters += text.length;
    if (this.characters > MAX_ROW_CHARACTERS) throw this.tooLarge(`more than ${MAX_ROW_CHARACTERS} characters`);
  }

  /** The last row, if its line has no end. */
  *end(): Generator<Cells> {
    if (this.place === 'quoted') this.broken ??= `opens a quote that is never closed (cell ${this.cells.length + 1}); everything after it belongs to that cell`;
    if (this.cells.length === 0 && this.place === 'start') return;
    this.endCell('');
    yield this.endRow();
  }

  private endCell(last: string): void {
    this.cells.push(this.cell.length === 0 ? last : [...this.cell, last].join(''));
    this.cell = [];
    this.place = 'start';
  }

  private endRow(): Cells {
    const row = { row: this.row++, cells: this.cells, ...(this.broken === undefined ? {} : { broken: this.broken }) };
    this.cells = [];
    this.characters = 0;
    this.broken = undefined;
    return row;
  }

  private tooLarge(what: string): TextError {
    return new TextError(`Row ${this.row} of ${path.basename(this.file)} has ${what}.`, {
      hint: 'A quote before it may have no end, or the file is no table.',
      details: { file: this.file, row: this.row },
    });
  }
}

const [LINE_FEED, RETURN, QUOTE] = [0x0a, 0x0d, 0x22];
