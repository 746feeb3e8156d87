/**
 * Reads text sources as documents: plain texts, and files of rows. Rows that cannot be used are reported one by one;
 * the caller decides whether to go on without them.
 */
import path from 'node:path';
import { UnsupportedError } from '../support/errors';
import type { TextProblem, TextStage } from './findings';
import { rowFileFormat } from './row-files';
import { RowSource } from './row-source';
import type { ColumnChoice, Document } from './rows';
import { readLines, type ReadOptions } from './utf8-file';

/** A line that holds only this ends a document of a plain text, as in common collections of stories. */
const DOCUMENT_END = '<|endoftext|>';

/** Longer texts are handled in several documents, so that work on one stays short. */
const MAX_DOCUMENT_CHARACTERS = 1_000_000;

/** Endings of files that are no texts, with what to do. */
const NOT_TEXT: Readonly<Record<string, string>> = {
  '.xlsx': 'Save the table as CSV (.csv, UTF-8).',
  '.xls': 'Save the table as CSV (.csv, UTF-8).',
  '.ods': 'Save the table as CSV (.csv, UTF-8).',
  '.pdf': 'Save the document as plain text (.txt).',
  '.docx': 'Save the document as plain text (.txt).',
  '.odt': 'Save the document as plain text (.txt).',
  '.gz': 'Unpack the archive first.',
  '.zip': 'Unpack the archive first.',
};

export interface TextSourceOptions extends ReadOptions {
  /** Told of every row that is left out. Without it the first such row raises TextError. */
  readonly onProblem?: ((problem: TextProblem, row: number) => void) | undefined;
  /** Columns that hold the text, named by a person; found by the first usable row if absent. */
  readonly columns?: ColumnChoice | undefined;
}

/** A document and where it comes from: its row, or the line on which it begins. */
export interface PlacedDocument {
  readonly row: number;
  readonly document: Document;
}

/** Documents of one file, in order. */
export interface TextSource {
  /** For people: `plain text`, `JSON lines, field "text"`. Known once the first document was read. */
  readonly format: string;
  /** What it trains. Known once the first document was read. */
  readonly stage: TextStage;
  /** What people count in it: a plain text that marks no ends has paragraphs. Known once all was read. */
  readonly unit: 'document' | 'paragraph';
  /** Names of the columns or fields of its rows, as far as it was read; none in plain texts. */
  readonly columns: readonly string[];
  readonly documents: AsyncIterable<PlacedDocument>;
  /** Reports a document that was read but cannot be used, as `onProblem` tells of rows. */
  readonly leaveOut: (row: number, code: string, what: string, hint: string) => void;
}

/**
 * Opens a text file as documents. Plain texts (any ending but those of rows and tables) are cut at lines
 * `<|endoftext|>`; line ends become LF and a byte-order mark is dropped. Files of `ROW_FILE_FORMATS` hold rows in one of
 * `ROW_FORMATS`, or in the columns that a person chose. Documents without any letter are left out. Raises, while
 * reading, TextError for text that is not UTF-8 or rows that cannot be used, FormatError for damaged tables; at once
 * UnsupportedError for files that are no texts, and for columns chosen in a file that has none.
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
  const rows = rowFileFormat(file);
  if (rows !== null) return new RowSource(file, rows, options);
  if (options.columns !== undefined) {
    throw new UnsupportedError(`${path.basename(file)} is read as plain text, which has no columns.`, {
      hint: 'Leave the columns out, or give the file the ending of a table.',
      details: { feature: 'columns', found: ending, file },
    });
  }
  return new PlainTextSource(file, options);
}

/**
 * What a text file trains, from its first usable row; no more of it is read than that takes. Raises as
 * `openTextSource` does for a file that cannot be read; rows that cannot be used are passed over.
 */
export async function readStage(file: string, columns?: ColumnChoice): Promise<TextStage> {
  const source = openTextSource(file, { onProblem: () => undefined, columns });
  const documents = source.documents[Symbol.asyncIterator]();
  await documents.next();
  await documents.return?.();
  return source.stage;
}

class PlainTextSource implements TextSource {
  readonly format = 'plain text';
  readonly stage = 'pretraining';
  readonly columns: readonly string[] = [];
  readonly documents: AsyncIterable<PlacedDocument>;
  private marksEnds = false;

  constructor(file: string, options: ReadOptions) {
    this.documents = this.read(file, options);
  }

  get unit(): 'document' | 'paragraph' {
    return this.marksEnds ? 'document' : 'paragraph';
  }

  /** Plain texts are never refused. */
  leaveOut(): void {
    return;
  }

  private async *read(file: string, options: ReadOptions): AsyncGenerator<PlacedDocument> {
    let lines: string[] = [];
    let characters = 0;
    let row = 1;
    for await (const { text, number } of readLines(file, options)) {
      const isEnd = text.trim() === DOCUMENT_END;
      this.marksEnds ||= isEnd;
      if (!isEnd) {
        lines.push(text);
        characters += text.length + 1;
      }
      if (!isEnd && characters <= MAX_DOCUMENT_CHARACTERS) continue;
      yield* documentOf(lines, row);
      lines = [];
      characters = 0;
      row = number + 1;
    }
    yield* documentOf(lines, row);
  }
}

/** Blank lines around a document are the file's layout; those inside are the text's own. */
function documentOf(lines: readonly string[], row: number): PlacedDocument[] {
  const text = lines.join('\n').replace(/^\s*\n/, '').trimEnd();
  return text.trim() === '' ? [] : [{ row, document: { kind: 'text', text } }];
}
