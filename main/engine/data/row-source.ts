/** Documents of files of rows: the format is found by the first usable row, or follows from the columns chosen. */
import path from 'node:path';
import { TextError } from '../support/errors';
import type { TextStage } from './findings';
import type { RowFileFormat } from './row-files';
import { chosenFormat, describeRow, ROW_FORMATS, type Document, type RowFormat } from './rows';
import type { PlacedDocument, TextSource, TextSourceOptions } from './text-source';

/** After so many rows of which none can be used, the rest is not looked at. */
const MOST_UNUSABLE = 100;
/** Rows whose fields are collected; and the most that are. */
const ROWS_WITH_FIELDS = 100;
const MOST_FIELDS = 200;

const KNOWN_FIELDS: ReadonlySet<string> = new Set(ROW_FORMATS.flatMap(({ fields }) => fields));

export class RowSource implements TextSource {
  readonly unit = 'document';
  readonly documents: AsyncIterable<PlacedDocument>;
  private found: RowFormat | null;
  private readonly names = new Set<string>();

  constructor(
    private readonly file: string,
    private readonly container: RowFileFormat,
    private readonly options: TextSourceOptions,
  ) {
    this.found = options.columns === undefined ? null : chosenFormat(options.columns);
    this.documents = this.read();
  }

  get format(): string {
    return this.found === null ? this.container.name : `${this.container.name}, ${this.found.name}`;
  }

  get stage(): TextStage {
    return this.found?.stage ?? 'pretraining';
  }

  get columns(): readonly string[] {
    return [...this.names];
  }

  /** Raises TextError where nobody is told of rows that are left out. */
  leaveOut(row: number, code: string, what: string, hint: string): void {
    const message = `Row ${row} of ${path.basename(this.file)} ${what}.`;
    if (this.options.onProblem === undefined) throw new TextError(message, { hint, details: { file: this.file, row } });
    this.options.onProblem({ severity: 'warning', code, message, hint }, row);
  }

  private async *read(): AsyncGenerator<PlacedDocument> {
    let [rows, usable] = [0, 0];
    const request = {
      signal: this.options.signal,
      fields: this.found === null ? KNOWN_FIELDS : new Set(this.found.fields),
      onColumns: (names: readonly string[]): void => {
        this.collect(names);
      },
    };
    for await (const row of this.container.read(this.file, request)) {
      if (++rows <= ROWS_WITH_FIELDS && 'value' in row && typeof row.value === 'object' && row.value !== null && !Array.isArray(row.value)) this.collect(Object.keys(row.value));
      if ('broken' in row) this.leaveOut(row.row, row.code, row.broken, row.hint);
      else {
        const documents = this.documentsOf(row.value);
        if (documents === null) {
          this.leaveOut(row.row, 'row-without-text', `has ${describeRow(row.value)}; expected ${this.expected}`, 'Correct the row, or go on without it.');
        } else {
          usable++;
          for (const document of documents) if (hasText(document)) yield { row: row.row, document };
        }
      }
      if (usable === 0 && rows >= MOST_UNUSABLE) {
        this.options.onProblem?.({
          severity: 'error',
          code: 'no-usable-row',
          message: `None of the first ${rows} rows of ${path.basename(this.file)} can be used; the rest was not read.`,
          hint: this.options.columns === undefined ? 'Say which columns hold the text.' : 'Choose other columns.',
        }, row.row);
        return;
      }
    }
  }

  private get expected(): string {
    return this.found === null ? ROW_FORMATS.map((known) => known.needs).join(', or ') : this.found.needs;
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

  private collect(names: readonly string[]): void {
    for (const name of names) if (this.names.size < MOST_FIELDS) this.names.add(name);
  }
}

function hasText(document: Document): boolean {
  return document.kind === 'text' ? document.text.trim() !== '' : document.messages.some((message) => message.content.trim() !== '');
}
