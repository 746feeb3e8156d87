/** Rows of JSON: one a line, or one list of them that is cut into its items without ever being held whole. */
import path from 'node:path';
import { TextError } from '../support/errors';
import { describeRow } from './rows';
import type { Row, RowRequest } from './row';
import { readLines, readUtf8Chunks, withoutByteOrderMark } from './utf8-file';

/** One item is held in memory whole; as much as a line may have. */
const MAX_ITEM_CHARACTERS = 64 * 1024 * 1024;
const CUT_OFF = 'The row may be cut off or contain a line break.';

/** Each line that is not blank is a row. */
export async function* readJsonLines(file: string, request: RowRequest): AsyncGenerator<Row> {
  for await (const { text, number } of readLines(file, request)) {
    if (text.trim() !== '') yield parsedRow(number, text);
  }
}

/** Each item of a list is a row. Raises TextError for files that hold no list, or one of numbers, or end inside it. */
export async function* readJsonList(file: string, request: RowRequest): AsyncGenerator<Row> {
  const name = path.basename(file);
  const splitter = new ListSplitter();
  let row = 0;
  let first = true;
  for await (const chunk of readUtf8Chunks(file, request)) {
    const text = first ? withoutByteOrderMark(chunk) : chunk;
    if (first && /^\s*[^\s[]/.test(text)) throw noList(file, text);
    first = false;
    for (const item of splitter.add(text)) {
      row++;
      if (row === 1 && /^\s*[-\d[]/.test(item)) {
        throw new TextError(`${name} holds numbers, not texts.`, { hint: 'If they are token ids, add the file as token ids.', details: { file } });
      }
      yield parsedRow(row, item);
    }
    if (splitter.pending > MAX_ITEM_CHARACTERS) {
      throw new TextError(`Row ${row + 1} of ${name} has more than ${MAX_ITEM_CHARACTERS} characters.`, { hint: 'A quote or bracket before it may have no end.', details: { file, row: row + 1 } });
    }
  }
  if (splitter.state !== 'ended') {
    const where = splitter.state === 'before' ? 'it is empty' : `it ends inside the list, after ${row} rows`;
    throw new TextError(`${name} is not JSON: ${where}.`, { hint: 'The file may be cut off. Get it again.', details: { file, row } });
  }
  if (splitter.hasMore) {
    throw new TextError(`${name} is not JSON: something follows the end of the list.`, {
      hint: 'If each line is a row of its own, name the file with the ending .jsonl.',
      details: { file, row },
    });
  }
}

function parsedRow(row: number, text: string): Row {
  try {
    const value: unknown = JSON.parse(text);
    return { row, value };
  } catch (error) {
    return { row, broken: `is not JSON: ${error instanceof Error ? error.message : String(error)}`, code: 'row-not-json', hint: CUT_OFF };
  }
}

function noList(file: string, beginning: string): TextError {
  const name = path.basename(file);
  const hint = 'If each line is a row of its own, name the file with the ending .jsonl.';
  const row = parsedRow(0, beginning);
  if ('value' in row) return new TextError(`${name} holds ${describeRow(row.value)}; a list of rows was expected.`, { hint, details: { file } });
  return new TextError(`${name} does not begin with a list; rows in square brackets were expected.`, { hint, details: { file } });
}

/** Finds the ends of a list's items by brackets and quotes alone; whether they are JSON is for the parser to say. */
class ListSplitter {
  state: 'before' | 'inside' | 'ended' = 'before';
  /** Whether anything but blanks came after the end. */
  hasMore = false;
  private depth = 0;
  private inText = false;
  private escaped = false;
  private kept: string[] = [];
  private keptCharacters = 0;

  /** Characters of the item that has not ended. */
  get pending(): number {
    return this.keptCharacters;
  }

  *add(chunk: string): Generator<string> {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at);
      if (this.inText) {
        if (this.escaped) this.escaped = false;
        else if (code === BACKSLASH) this.escaped = true;
        else if (code === QUOTE) this.inText = false;
      } else if (this.state !== 'inside') {
        if (this.state === 'before' && code === OPEN_LIST) {
          this.state = 'inside';
          start = at + 1;
        } else if (code > SPACE) this.hasMore ||= this.state === 'ended';
      } else if (code === QUOTE) this.inText = true;
      else if (code === OPEN_LIST || code === OPEN_OBJECT) this.depth++;
      else if (this.depth > 0) {
        if (code === CLOSE_LIST || code === CLOSE_OBJECT) this.depth--;
      } else if (code === COMMA || code === CLOSE_LIST) {
        const item = this.take(chunk.slice(start, at));
        start = at + 1;
        if (code === CLOSE_LIST) this.state = 'ended';
        // An empty list, or a comma too many before its end, holds no item there.
        if (code === COMMA || item.trim() !== '') yield item;
      }
    }
    if (this.state === 'inside') this.keep(chunk.slice(start));
  }

  private keep(piece: string): void {
    this.kept.push(piece);
    this.keptCharacters += piece.length;
  }

  private take(last: string): string {
    const item = this.kept.length === 0 ? last : [...this.kept, last].join('');
    this.kept = [];
    this.keptCharacters = 0;
    return item;
  }
}

const [SPACE, QUOTE, COMMA, OPEN_LIST, BACKSLASH, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x20, 0x22, 0x2c, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d];
