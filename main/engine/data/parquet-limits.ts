/**
 * What a Parquet table says of itself, held against limits and against what is there, before a reader allocates by it:
 * the tree of columns, the counts of groups, and the head of each page that will be read.
 */
import { FormatError, UnsupportedError } from '../support/errors';
import { checkPageRuns, checkPlaces, checkRuns, widthOf, type PageRuns } from './parquet-levels';
import { countField, readThriftStruct, structField, structList, type ThriftStruct } from './thrift';

/** A page uncompressed; writers make them of a mebibyte, some of a hundred. */
export const MAX_PAGE_BYTES = 128 * 1024 * 1024;
/** No compression makes texts this much smaller; beyond its first mebibyte a page that says so is a trap. */
const MAX_COMPRESSION = 2048;
const FREE_PAGE_BYTES = 1024 * 1024;
const MAX_PAGE_VALUES = 1 << 21;
/** Values of a column with lists, in one group: they are put together at once. */
const MAX_NESTED_VALUES = 1 << 23;
const MAX_GROUP_ROWS = 1 << 26;
const MAX_COLUMNS = 4096;
const MAX_NESTING = 12;
/** How much is read to find a page's head, which may hold its smallest and largest text; more if it does not suffice. */
const HEAD_BYTES = [1 << 12, 1 << 18, 1 << 24] as const;
/** Page types of parquet.thrift. */
const [DATA, DICTIONARY, DATA_V2] = [0, 2, 3];
/** Encodings by parquet.thrift: plain, and two names of dictionaries. Delta's reader never ends on some damaged pages. */
const PLAIN = 0;
const DICTIONARIES: ReadonlySet<number> = new Set([2, 8]);

/** Checks a footer. Raises FormatError for one that contradicts itself, UnsupportedError for tables beyond the limits. */
export function checkFooter(bytes: Uint8Array, name: string): void {
  const { struct } = readThriftStruct(bytes, 0);
  const schema = structList(struct, 2);
  if (schema.length > MAX_COLUMNS) throw new UnsupportedError(`${name} has ${schema.length} columns; at most ${MAX_COLUMNS} are read.`);
  const end = treeEnd(schema, 0, 0, name);
  if (end !== schema.length) throw new FormatError(`It describes ${schema.length} columns, of which ${schema.length - end} belong to nothing.`);
  const leaves = schema.slice(1).filter((element) => (countField(element, 5) ?? 0) === 0).length;
  let rows = 0;
  for (const group of structList(struct, 4)) {
    const columns = structList(group, 1);
    if (columns.length !== leaves) throw new FormatError(`A row group has ${columns.length} columns; the table has ${leaves}.`);
    for (const column of columns) {
      const meta = structField(column, 3);
      if (meta === undefined) throw new FormatError('A column is not described.');
      for (const field of [5, 6, 7, 9]) if (countField(meta, field) === undefined) throw new FormatError(`Field ${field} of a column is missing.`);
      countField(meta, 11);
    }
    const count = countField(group, 3) ?? 0;
    if (count > MAX_GROUP_ROWS) throw new UnsupportedError(`${name} has a row group of ${count} rows; at most ${MAX_GROUP_ROWS} are read.`, { hint: 'Write the table with smaller row groups.' });
    rows += count;
  }
  const stated = countField(struct, 3);
  if (stated !== rows) throw new FormatError(`It says that it has ${stated ?? 'no'} rows; its groups have ${rows}.`);
}

/** The index behind the element at `index` and all below it. */
function treeEnd(schema: readonly ThriftStruct[], index: number, depth: number, name: string): number {
  const element = schema[index];
  if (element === undefined) throw new FormatError(`It describes ${schema.length} columns, and has more.`);
  if (depth > MAX_NESTING) throw new UnsupportedError(`${name} has columns nested more than ${MAX_NESTING} levels deep.`, { hint: 'Write the texts as columns of their own, or as JSON lines (.jsonl).' });
  let end = index + 1;
  for (let left = countField(element, 5) ?? 0; left > 0; left--) end = treeEnd(schema, end, depth + 1, name);
  return end;
}

/** A column of one row group as the footer describes it. */
export interface ColumnPages {
  /** Reads bytes of the file. */
  readonly readAt: (at: number, bytes: number) => Promise<ArrayBuffer>;
  readonly start: number;
  readonly length: number;
  readonly values: number;
  readonly rows: number;
  /** Whether it holds a value for each row. */
  readonly isFlat: boolean;
  readonly name: string;
  /** Truth values are stored in ways of their own. */
  readonly isBoolean: boolean;
  readonly levels: Pick<PageRuns, 'mostRepetition' | 'mostDefinition'>;
  /** Undoes the column's compression, to exactly so many bytes. */
  readonly decompress: (bytes: Uint8Array, size: number) => Uint8Array;
}

/**
 * Walks a column's pages from head to head. Answers their bytes uncompressed. Raises FormatError for pages that do not
 * fill the column or hold other counts than it, UnsupportedError for those beyond the limits.
 */
export async function checkPages({ readAt, start, length, values, rows, isFlat, name, isBoolean, levels, decompress }: ColumnPages): Promise<number> {
  if (isFlat ? values !== rows : values > MAX_NESTED_VALUES) {
    if (isFlat) throw new FormatError(`A column has ${values} values for ${rows} rows.`);
    throw new UnsupportedError(`${name} has a row group with ${values} values in lists; at most ${MAX_NESTED_VALUES} are put together at once.`, { hint: 'Write the table with smaller row groups.' });
  }
  // A row without items still has a value that says so: more rows than values would be made of nothing.
  if (rows > values) throw new FormatError(`A column has ${values} values for ${rows} rows.`);
  let [at, found, uncompressed] = [start, 0, 0];
  const end = start + length;
  while (at < end && found < values) {
    const { head, bytes } = await readHead(readAt, at, end);
    const [stored, full] = [countField(head, 3), countField(head, 2)];
    const data = structField(head, 5) ?? structField(head, 7) ?? structField(head, 8);
    const count = data === undefined ? undefined : countField(data, 1);
    if (stored === undefined || full === undefined || at + bytes + stored > end) throw new FormatError(`A page at byte ${at} does not end where its column does.`);
    if (full > MAX_PAGE_BYTES) throw new UnsupportedError(`${name} has a page of ${full} bytes; at most ${MAX_PAGE_BYTES} are read.`, { hint: 'Write the table with smaller pages, or as JSON lines (.jsonl).' });
    if (full > FREE_PAGE_BYTES + MAX_COMPRESSION * stored) throw new FormatError(`A page at byte ${at} says that its ${stored} bytes become ${full}.`);
    if (count !== undefined && count > MAX_PAGE_VALUES) throw new UnsupportedError(`${name} has a page of ${count} values; at most ${MAX_PAGE_VALUES} are read.`, { hint: 'Write the table with smaller pages.' });
    const type = head.get(1);
    if (type === DATA || type === DATA_V2) found += count ?? 0;
    else if (type === DICTIONARY && (count ?? 0) > full) throw new FormatError(`A dictionary at byte ${at} has ${count ?? 0} entries in ${full} bytes.`);
    const version2 = structField(head, 8);
    const encoding = version2 === undefined ? (data === undefined ? 0 : (countField(data, 2) ?? 0)) : (countField(version2, 4) ?? 0);
    const isDictionary = DICTIONARIES.has(encoding);
    if (encoding !== PLAIN && (!isDictionary || isBoolean)) throw new UnsupportedError(`${name} encodes its texts in a way that is not read (number ${encoding} of Parquet's encodings).`, { hint: 'Write the table with plain or dictionary encoding, as most programs do, or as JSON lines (.jsonl).' });
    if (version2 !== undefined && (countField(version2, 5) ?? 0) + (countField(version2, 6) ?? 0) > Math.min(stored, full)) throw new FormatError(`A page at byte ${at} has levels beyond its end.`);
    if (version2 !== undefined && (countField(version2, 3) ?? 0) > (count ?? 0)) throw new FormatError(`A page at byte ${at} has more rows than values.`);
    if (type === DATA || type === DATA_V2) {
      const page = new Uint8Array(await readAt(at + bytes, stored));
      if (version2 === undefined) checkPageRuns(decompress(page, full), { values: count ?? 0, ...levels, isDictionary });
      else {
        const [repetition, definition] = [countField(version2, 6) ?? 0, countField(version2, 5) ?? 0];
        if (levels.mostRepetition > 0) checkRuns(page.subarray(0, repetition), widthOf(levels.mostRepetition), count ?? 0);
        if (levels.mostDefinition > 0) checkRuns(page.subarray(repetition, repetition + definition), widthOf(levels.mostDefinition), count ?? 0);
        const rest = page.subarray(repetition + definition);
        const restBytes = full - repetition - definition;
        if (isDictionary) checkPlaces(version2.get(7) === false || restBytes === 0 ? rest : decompress(rest, restBytes), count ?? 0);
      }
    }
    uncompressed += full;
    at += bytes + stored;
  }
  if (found !== values) throw new FormatError(`A column has ${found} values; ${values} were expected.`);
  return uncompressed;
}

async function readHead(readAt: ColumnPages['readAt'], at: number, end: number): Promise<{ readonly head: ThriftStruct; readonly bytes: number }> {
  for (const most of HEAD_BYTES) {
    const bytes = new Uint8Array(await readAt(at, Math.min(most, end - at)));
    try {
      const read = readThriftStruct(bytes, 0);
      return { head: read.struct, bytes: read.end };
    } catch (error) {
      if (!(error instanceof FormatError) || most === HEAD_BYTES.at(-1) || bytes.length < most) throw error;
    }
  }
  throw new FormatError(`The page at byte ${at} has no head.`);
}
