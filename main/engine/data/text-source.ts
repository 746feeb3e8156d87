/**
 * Reads text sources as documents: plain texts, JSON lines and JSON lists of rows. Rows that cannot be used are
 * reported one by one; the caller decides whether to go on without them.
 */
import path from 'node:path';
import { TextError, UnsupportedError } from '../support/errors';
import type { TextProblem, TextStage } from './findings';
import { describeRow, ROW_FORMATS, type Document, type RowFormat } from './rows';
import { readLines, readUtf8File, withoutByteOrderMark, type ReadOptions } from './utf8-file';

/** A line that holds only this ends a document of a plain text, as in common collections of stories. */
const DOCUMENT_END = '<|endoftext|>';

/** Longer texts are handled in several documents, so that work on one stays short. */
const MAX_DOCUMENT_CHARACTERS = 1_000_000;

/** Endings of files that are no texts, with what to do. */
const NOT_TEXT: Readonly<Record<string, string>> = {
  '.csv': 'Save the table as JSON lines (.jsonl), or the column with the texts as plain text.',
  '.tsv': 'Save the table as JSON lines (.jsonl), or the column with the texts as plain text.',
  '.parquet': 'Convert the table to JSON lines (.jsonl).',
  '.pdf': 'Save the document as plain text (.txt).',
  '.docx': 'Save the document as plain text (.txt).',
  '.odt': 'Save the document as plain text (.txt).',
  '.gz': 'Unpack the archive first.',
  '.zip': 'Unpack the archive first.',
};

export interface TextSourceOptions extends ReadOptions {
  /** Told of every row that is left out. Without it the first such row raises TextError. */
  readonly onProblem?: ((problem: TextProblem, row: number) => void) | undefined;
}

/** Documents of one file, in order. */
export interface TextSource {
  /** For people: `plain text`, `JSON lines, field "text"`. Known once the first document was read. */
  readonly format: string;
  /** What it trains. Known once the first document was read. */
  readonly stage: TextStage;
  /** What people count in it: a plain text that marks no ends has paragraphs. Known once all was read. */
  readonly unit: 'document' | 'paragraph';
  readonly documents: AsyncIterable<Document>;
}

/**
 * Opens a text file as documents. Plain texts (any ending but those of rows and tables) are cut at lines
 * `<|endoftext|>`; line ends become LF and a byte-order mark is dropped. `.jsonl`/`.ndjson` and `.json` hold rows in
 * one of `ROW_FORMATS`. Documents without any letter are left out. Raises, while reading, TextError for text that is
 * not UTF-8 or rows that cannot be used, UnsupportedError for files that are no texts.
 */
export function openTextSource(file: string, options: TextSourceOptions = {}): TextSource {
  const ending = path.extname(file).toLowerCase();
  const hint = Object.hasOwn(NOT_TEXT, ending) ? NOT_TEXT[ending] : undefined;
  if (hint !== undefined) {
    throw new UnsupportedError(`${path.basename(file)} cannot be used as a text: files ending in ${ending} are not read.`, {
      hint,
      details: { feature: 'text file', found: ending, file },
    });
  }
  if (ending === '.jsonl' || ending === '.ndjson') return new RowSource(file, 'JSON lines', readJsonLines(file, options), options);
  if (ending === '.json') return new RowSource(file, 'JSON list', readJsonList(file, options), options);
  return new PlainTextSource(file, options);
}

/** The documents of a file: `openTextSource` for callers that need nothing else. */
export function readTextSource(file: string, options: TextSourceOptions = {}): AsyncIterable<Document> {
  return openTextSource(file, options).documents;
}

/**
 * What a text file trains, from its first usable row; no more of it is read than that takes
 * (a JSON list as a whole). Raises as
 * `openTextSource` does for a file that cannot be read; rows that cannot be used are passed over.
 */
export async function readStage(file: string): Promise<TextStage> {
  const source = openTextSource(file, { onProblem: () => undefined });
  const documents = source.documents[Symbol.asyncIterator]();
  await documents.next();
  await documents.return?.();
  return source.stage;
}

class PlainTextSource implements TextSource {
  readonly format = 'plain text';
  readonly stage = 'pretraining';
  readonly documents: AsyncIterable<Document>;
  private marksEnds = false;

  constructor(file: string, options: ReadOptions) {
    this.documents = this.read(file, options);
  }

  get unit(): 'document' | 'paragraph' {
    return this.marksEnds ? 'document' : 'paragraph';
  }

  private async *read(file: string, options: ReadOptions): AsyncGenerator<Document> {
    let lines: string[] = [];
    let characters = 0;
    for await (const { text } of readLines(file, options)) {
      const isEnd = text.trim() === DOCUMENT_END;
      this.marksEnds ||= isEnd;
      if (!isEnd) {
        lines.push(text);
        characters += text.length + 1;
      }
      if (!isEnd && characters <= MAX_DOCUMENT_CHARACTERS) continue;
      yield* documentOf(lines);
      lines = [];
      characters = 0;
    }
    yield* documentOf(lines);
  }
}

/** Blank lines around a document are the file's layout; those inside are the text's own. */
function documentOf(lines: readonly string[]): Document[] {
  const text = lines.join('\n').replace(/^\s*\n/, '').trimEnd();
  return text.trim() === '' ? [] : [{ kind: 'text', text }];
}

/** A row, or why it could not be read. */
type Row = { readonly row: number; readonly value: unknown } | { readonly row: number; readonly broken: string };

async function* readJsonLines(file: string, options: ReadOptions): AsyncGenerator<Row> {
  for await (const { text, number } of readLines(file, options)) {
    if (text.trim() === '') continue;
    const value = parseJson(text);
    yield value instanceof Error ? { row: number, broken: value.message } : { row: number, value: value.parsed };
  }
}

async function* readJsonList(file: string, options: ReadOptions): AsyncGenerator<Row> {
  const value = parseJson(withoutByteOrderMark(await readUtf8File(file, options)));
  const name = path.basename(file);
  if (value instanceof Error) {
    throw new TextError(`${name} is not JSON: ${value.message}.`, {
      hint: 'If each line is a row of its own, name the file with the ending .jsonl.',
      details: { file },
    });
  }
  if (!Array.isArray(value.parsed)) {
    throw new TextError(`${name} holds ${describeRow(value.parsed)}; a list of rows was expected.`, { details: { file } });
  }
  const rows: readonly unknown[] = value.parsed;
  if (typeof rows[0] === 'number' || Array.isArray(rows[0])) {
    throw new TextError(`${name} holds numbers, not texts.`, { hint: 'If they are token ids, add the file as token ids.', details: { file } });
  }
  for (const [index, row] of rows.entries()) yield { row: index + 1, value: row };
}

function parseJson(text: string): { readonly parsed: unknown } | Error {
  try {
    return { parsed: JSON.parse(text) };
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Reads rows in the format of the first usable one. */
class RowSource implements TextSource {
  readonly unit = 'document';
  readonly documents: AsyncIterable<Document>;
  private found: RowFormat | null = null;

  constructor(
    private readonly file: string,
    private readonly container: string,
    rows: AsyncIterable<Row>,
    private readonly options: TextSourceOptions,
  ) {
    this.documents = this.read(rows);
  }

  get format(): string {
    return this.found === null ? this.container : `${this.container}, ${this.found.name}`;
  }

  get stage(): TextStage {
    return this.found?.stage ?? 'pretraining';
  }

  private async *read(rows: AsyncIterable<Row>): AsyncGenerator<Document> {
    for await (const row of rows) {
      if ('broken' in row) {
        this.report(row.row, 'row-not-json', `is not JSON: ${row.broken}`, 'The row may be cut off or contain a line break.');
        continue;
      }
      const documents = this.documentsOf(row.value);
      if (documents === null) {
        const expected = this.found === null ? ROW_FORMATS.map((known) => known.needs).join(', or ') : this.found.needs;
        this.report(row.row, 'row-without-text', `has ${describeRow(row.value)}; expected ${expected}`, 'Correct the row, or go on without it.');
        continue;
      }
      for (const document of documents) if (hasText(document)) yield document;
    }
  }

  private documentsOf(row: unknown): readonly Document[] | null {
    if (this.found !== null) return this.found.read(row);
    for (const known of ROW_FORMATS) {
      const documents = known.read(row);
      if (documents === null) continue;
      this.found = known;
      return documents;
    }
    return null;
  }

  private report(row: number, code: string, what: string, hint: string): void {
    const message = `Row ${row} of ${path.basename(this.file)} ${what}.`;
    if (this.options.onProblem === undefined) throw new TextError(message, { hint, details: { file: this.file, row } });
    this.options.onProblem({ severity: 'warning', code, message, hint }, row);
  }
}

function hasText(document: Document): boolean {
  return document.kind === 'text' ? document.text.trim() !== '' : document.messages.some((message) => message.content.trim() !== '');
}
