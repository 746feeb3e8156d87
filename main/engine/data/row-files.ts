/**
 * Files that hold rows: one table of formats, each with its endings and how its rows stream. Rows come one after the
 * other, so that a file of millions of them needs no more memory than its largest few.
 */
import path from 'node:path';
import { readDelimitedRows } from './delimited-rows';
import { readJsonLines, readJsonList } from './json-rows';
import { readParquetRows } from './parquet-rows';
import type { RowReader } from './row';

/** A kind of file whose rows can be read. */
export interface RowFileFormat {
  /** For people. */
  readonly name: string;
  readonly endings: readonly string[];
  readonly read: RowReader;
}

/** All of them; an ending belongs to one. */
export const ROW_FILE_FORMATS: readonly RowFileFormat[] = [
  { name: 'JSON lines', endings: ['.jsonl', '.ndjson'], read: readJsonLines },
  { name: 'JSON list', endings: ['.json'], read: readJsonList },
  { name: 'CSV table', endings: ['.csv'], read: (file, request) => readDelimitedRows(file, [',', ';', '\t'], request) },
  { name: 'TSV table', endings: ['.tsv', '.tab'], read: (file, request) => readDelimitedRows(file, ['\t'], request) },
  { name: 'Parquet table', endings: ['.parquet'], read: readParquetRows },
];

/** How a file's rows are read, by its ending; null for files that hold none. */
export function rowFileFormat(file: string): RowFileFormat | null {
  const ending = path.extname(file).toLowerCase();
  return ROW_FILE_FORMATS.find(({ endings }) => endings.includes(ending)) ?? null;
}
