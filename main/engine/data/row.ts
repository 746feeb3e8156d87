/** What all files of rows give: rows with their numbers, or why one could not be read. */
import type { ReadOptions } from './utf8-file';

/**
 * A row as people would count it: the line of JSON lines, the place in a list, the row of a spreadsheet (whose first
 * names the columns). `broken` says what is wrong, to follow on "Row 3 of x.csv".
 */
export type Row =
  | { readonly row: number; readonly value: unknown }
  | { readonly row: number; readonly broken: string; readonly code: string; readonly hint: string };

/** What is asked of a file of rows. */
export interface RowRequest extends ReadOptions {
  /** Fields that are of use; formats that keep columns apart may leave out the others. */
  readonly fields: ReadonlySet<string>;
  /** Told the names of all columns before the first row, by formats that name them in one place. */
  readonly onColumns: (names: readonly string[]) => void;
}

/**
 * Streams the rows of a file. Raises TextError for what cannot be read on, UnsupportedError for what is not read at
 * all, NotFoundError.
 */
export type RowReader = (file: string, request: RowRequest) => AsyncGenerator<Row>;
