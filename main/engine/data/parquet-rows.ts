/**
 * Rows of Parquet tables, read by hyparquet one row group after the other, of large groups a slice at a time. Before it
 * sees anything, sizes and counts are held against the file and against limits: it believes what a file says of itself.
 */
import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { parquetMetadata, parquetReadObjects, parquetSchema, snappyUncompress, type AsyncBuffer, type Compressors, type FileMetaData, type RowGroup, type SchemaTree } from 'hyparquet';
import { compressors as moreCompressors } from 'hyparquet-compressors';
import { ZSTDDecoder } from 'zstddec';
import { AppError, FormatError, TextError, UnsupportedError, toAppError } from '../support/errors';
import { breathe } from '../support/progress';
import { checkFooter, checkPages, MAX_PAGE_BYTES } from './parquet-limits';
import type { Row, RowRequest } from './row';

/** The description of a file's columns and groups. */
const MAX_FOOTER_BYTES = 64 * 1024 * 1024;
/** Compressed columns of one group, read at once. */
const MAX_GROUP_BYTES = 512 * 1024 * 1024;
/** Columns with lists or structures are put together for a whole group, uncompressed. */
const MAX_NESTED_BYTES = 256 * 1024 * 1024;
/** Of flat columns this much is decoded at a time, and no more rows than that. */
const SLICE_BYTES = 32 * 1024 * 1024;
const SLICE_ROWS = 65_536;
const MAGIC = 0x31524150;
const SMALLER_GROUPS = 'Write the table with smaller row groups (10,000 rows), or as JSON lines (.jsonl).';

type ColumnMetaData = NonNullable<RowGroup['columns'][number]['meta_data']>;

/**
 * Rows as objects of the fields asked for; the row number counts from 1. Raises FormatError for files that are damaged
 * or no Parquet, UnsupportedError for encrypted ones, for unknown compressions and for groups that are too large.
 */
export async function* readParquetRows(file: string, request: RowRequest): AsyncGenerator<Row> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw toAppError(error);
  });
  try {
    yield* readTable(handle, file, request);
  } catch (error) {
    if (error instanceof AppError && error.message.includes(path.basename(file))) throw error;
    const what = error instanceof Error ? error.message : String(error);
    if (error instanceof AppError && !(error instanceof FormatError)) throw error;
    throw new FormatError(`${path.basename(file)} is a damaged Parquet table: ${what.replace(/\.$/, '')}.`, {
      hint: 'Get the file again.',
      details: { file },
      cause: error,
    });
  } finally {
    await handle.close();
  }
}

async function* readTable(handle: FileHandle, file: string, request: RowRequest): AsyncGenerator<Row> {
  const name = path.basename(file);
  const { size } = await handle.stat();
  const footer = await readFooter(handle, size, name);
  checkFooter(footer.subarray(0, footer.length - 8), name);
  const metadata = parquetMetadata(footer, { geoparquet: false });
  // Its code comes with it; nothing is fetched from anywhere.
  await zstd.init();
  const top = parquetSchema(metadata).children;
  const names = top.map(({ element }) => element.name);
  request.onColumns(names);
  const wanted = names.filter((column) => request.fields.has(column));
  const source: AsyncBuffer = { byteLength: size, slice: (start, end = size) => readRange(handle, start, end) };
  let before = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    if (wanted.length === 0) {
      // Nothing in it is of use; whoever asked sees the names, and that every row lacks what is needed.
      const empty = Object.fromEntries(names.map((column) => [column, null]));
      for (let row = 1; row <= rows; row++) yield { row: before + row, value: empty };
    } else {
      const slice = await sliceRows(handle, group, wanted, { rows, size, name, top, lists: new Set(top.filter(({ children, element }) => children.length > 0 || element.repetition_type === 'REPEATED').map(({ element }) => element.name)) });
      // hyparquet plans over all groups: given one alone, it looks at no other.
      const alone: FileMetaData = { ...metadata, num_rows: group.num_rows, row_groups: [group] };
      for (let start = 0; start < rows; start += slice) {
        const end = Math.min(rows, start + slice);
        const values = await parquetReadObjects({ file: source, metadata: alone, columns: wanted, rowStart: start, rowEnd: end, compressors: BOUNDED_COMPRESSORS });
        if (values.length !== end - start) throw new FormatError(`Its rows ${before + start + 1} to ${before + end} are not all there.`);
        for (const [index, value] of values.entries()) yield { row: before + start + index + 1, value };
        await breathe(request.signal);
      }
    }
    before += rows;
  }
}

/** The footer with its length and the magic number behind it. */
async function readFooter(handle: FileHandle, size: number, name: string): Promise<Uint8Array> {
  const hint = 'Get the file again, or check that it is the right one.';
  const begin = new DataView(await readRange(handle, 0, Math.min(4, size)));
  if (size < 12 || begin.getUint32(0, true) !== MAGIC) throw new FormatError(`${name} is no Parquet table: it does not begin with PAR1.`, { hint });
  const end = new DataView(await readRange(handle, size - 8, size));
  if (end.getUint32(4, true) === 0x45524150) throw new UnsupportedError(`${name} is encrypted; encrypted Parquet tables are not read.`, { hint: 'Save it without encryption.' });
  if (end.getUint32(4, true) !== MAGIC) throw new FormatError(`${name} is cut off: a Parquet table ends with PAR1.`, { hint: 'Get the file again.' });
  const length = end.getUint32(0, true);
  if (length > size - 12) throw new FormatError(`${name} says that its description has ${length} bytes; the file has ${size}.`, { hint });
  if (length > MAX_FOOTER_BYTES) throw new UnsupportedError(`${name} describes itself in ${length} bytes; at most ${MAX_FOOTER_BYTES} are read.`, { hint: 'Use fewer columns, or larger row groups.' });
  return new Uint8Array(await readRange(handle, size - 8 - length, size));
}

/** Checks the columns of a group that will be read; how many of its rows to decode at a time. */
async function sliceRows(
  handle: FileHandle,
  group: RowGroup,
  wanted: readonly string[],
  { rows, size, name, top, lists }: { readonly top: readonly SchemaTree[]; readonly rows: number; readonly size: number; readonly name: string; readonly lists: ReadonlySet<string> },
): Promise<number> {
  const chunks = group.columns.flatMap(({ meta_data: meta }) => (meta !== undefined && wanted.includes(meta.path_in_schema[0] ?? '') ? [meta] : []));
  let [compressed, uncompressed] = [0, 0];
  for (const chunk of chunks) {
    const { start, length } = placeOf(chunk);
    if (!(start >= 4 && length >= 0 && start + length <= size)) throw new FormatError(`The column "${chunk.path_in_schema.join('.')}" lies at ${start} with ${length} bytes; the file has ${size}.`);
    if (!(chunk.codec === 'UNCOMPRESSED' || chunk.codec === 'SNAPPY' || BOUNDED_COMPRESSORS[chunk.codec] !== undefined)) {
      throw new UnsupportedError(`${name} is compressed with ${chunk.codec}, which is not read.`, { hint: 'Write the table with Snappy, gzip or zstd.' });
    }
    compressed += length;
    if (compressed > MAX_GROUP_BYTES) {
      throw new UnsupportedError(`${name} has a row group of more than ${MAX_GROUP_BYTES / 2 ** 20} MiB.`, { hint: SMALLER_GROUPS });
    }
    uncompressed += await checkPages({ readAt: (at, bytes) => readRange(handle, at, at + bytes), start, length, values: Number(chunk.num_values), rows, isFlat: !lists.has(chunk.path_in_schema[0] ?? ''), name, isBoolean: chunk.type === 'BOOLEAN', levels: levelsOf(top, chunk.path_in_schema), decompress: (bytes, full) => decompressed(chunk.codec, bytes, full) });
  }
  if (!wanted.some((column) => lists.has(column))) return Math.max(1, Math.min(SLICE_ROWS, Math.ceil(rows / Math.max(1, Math.ceil(uncompressed / SLICE_BYTES)))));
  if (uncompressed > MAX_NESTED_BYTES) {
    throw new UnsupportedError(`${name} has a row group with ${Math.ceil(uncompressed / 2 ** 20)} MiB of lists or structures; at most ${MAX_NESTED_BYTES / 2 ** 20} are put together at once.`, { hint: SMALLER_GROUPS });
  }
  return Math.max(1, rows);
}

/** How deep a column's values can repeat and be absent: one for each part of its path that may. */
function levelsOf(top: readonly SchemaTree[], columnPath: readonly string[]): { readonly mostRepetition: number; readonly mostDefinition: number } {
  let [children, mostRepetition, mostDefinition] = [top, 0, 0];
  for (const part of columnPath) {
    const found = children.find(({ element }) => element.name === part);
    if (found === undefined) throw new FormatError(`It stores a column "${columnPath.join('.')}" that it does not describe.`);
    if (found.element.repetition_type === 'REPEATED') mostRepetition++;
    if (found.element.repetition_type !== 'REQUIRED') mostDefinition++;
    children = found.children;
  }
  return { mostRepetition, mostDefinition };
}

function decompressed(codec: ColumnMetaData['codec'], bytes: Uint8Array, full: number): Uint8Array {
  if (codec === 'UNCOMPRESSED') return bytes;
  const decompress = BOUNDED_COMPRESSORS[codec];
  if (decompress !== undefined) return decompress(bytes, full);
  const output = new Uint8Array(bounded(full));
  snappyUncompress(bytes, output);
  return output;
}

function placeOf(chunk: ColumnMetaData): { readonly start: number; readonly length: number } {
  // A dictionary comes before the data, if there is one.
  const start = chunk.dictionary_page_offset !== undefined && chunk.dictionary_page_offset > 0n ? chunk.dictionary_page_offset : chunk.data_page_offset;
  return { start: Number(start), length: Number(chunk.total_compressed_size) };
}

async function readRange(handle: FileHandle, start: number, end: number): Promise<ArrayBuffer> {
  if (!(start >= 0 && end >= start && end - start <= MAX_GROUP_BYTES)) throw new FormatError(`Its description leads to the bytes ${start} to ${end}.`);
  const buffer = new ArrayBuffer(end - start);
  const bytes = new Uint8Array(buffer);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
    if (bytesRead === 0) throw new FormatError(`It ends at byte ${start + filled}, where more was expected.`);
    filled += bytesRead;
  }
  return buffer;
}

/** Zstandard's own decoder: the one of hyparquet's compressors works for minutes on a few damaged bytes. */
const zstd = new ZSTDDecoder();

/** Those of hyparquet, held to the sizes that were checked; what node itself can undo it undoes. */
const BOUNDED_COMPRESSORS: Compressors = {
  ...Object.fromEntries(
    Object.entries(moreCompressors).flatMap(([codec, decompress]) => [[codec, (input: Uint8Array, bytes: number) => decompress(input, bounded(bytes))]]),
  ),
  ZSTD: (input, bytes) => (bounded(bytes) === 0 ? new Uint8Array(0) : zstd.decode(input, bytes)),
  GZIP: (input, bytes) => gunzipSync(input, { maxOutputLength: Math.max(1, bounded(bytes)) }),
  BROTLI: (input, bytes) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, bounded(bytes)) }),
};

function bounded(bytes: number): number {
  if (bytes >= 0 && bytes <= MAX_PAGE_BYTES) return bytes;
  throw new TextError(`A page says that it has ${bytes} bytes.`);
}
