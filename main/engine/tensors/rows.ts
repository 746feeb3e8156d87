/**
 * A weight that is read in pieces of whole rows, as its file stores it: what lets models larger than memory be
 * copied, converted and sliced. A vector [n] counts as n rows of one element.
 */
import type { FloatType } from './range';
import { PLAIN_TYPE_BYTES } from './elements';
import { ReusedMemory } from './reused-memory';

export interface RowSource {
  readonly shape: readonly number[];
  readonly type: FloatType;
  /**
   * Fills `target` with rows [first, first + n), where n is the target's size in rows. Blocks: a piece that comes from memory
   * takes less than handing it between threads does, above all on a busy machine. Give the event loop its turn in between.
   */
  readInto(target: Uint8Array, first: number): void;
}

/** Elements of a row. */
export function rowElements(shape: readonly number[]): number {
  return shape.slice(1).reduce((product, size) => product * size, 1);
}

/** Bytes of a row as stored. */
export function rowBytes(source: RowSource): number {
  return rowElements(source.shape) * PLAIN_TYPE_BYTES[source.type];
}

/** As much of a weight as is read at once. */
export const ROWS_CHUNK_BYTES = 8 * 1024 * 1024;

/** Which rows and columns of a source stay, as ascending positions; null keeps all. */
export interface Cut {
  readonly rows: readonly number[] | null;
  readonly columns: readonly number[] | null;
}

/** The rows and columns of `source` at the positions of `cut`. Reads the span between the first and last row of a piece once. */
export function sliceRows(source: RowSource, cut: Cut): RowSource {
  const { rows, columns } = cut;
  if (rows === null && columns === null) return source;
  const [allRows = 0, ...rest] = source.shape;
  const from = rowBytes(source);
  const size = PLAIN_TYPE_BYTES[source.type];
  const shape = [rows?.length ?? allRows, ...(columns === null ? rest : [columns.length])];
  const to = rowElements(shape) * size;
  const rowAt = (index: number): number => (rows === null ? index : (rows[index] ?? 0));
  const memory = new ReusedMemory();
  const spanRows = Math.max(1, Math.floor(ROWS_CHUNK_BYTES / from));
  return {
    shape,
    type: source.type,
    readInto(target, first) {
      const count = target.byteLength / to;
      for (let done = 0; done < count; ) {
        const start = rowAt(first + done);
        let end = done + 1;
        while (end < count && rowAt(first + end) - start < spanRows) end++;
        const span = memory.take((rowAt(first + end - 1) - start + 1) * from);
        source.readInto(span, start);
        for (let index = done; index < end; index++) {
          const at = (rowAt(first + index) - start) * from;
          const row = span.subarray(at, at + from);
          if (columns === null) target.set(row, index * to);
          else gather(row, columns, size, target.subarray(index * to, (index + 1) * to));
        }
        done = end;
      }
    },
  };
}

/** Copies the elements of `size` bytes at `columns`. */
function gather(row: Uint8Array, columns: readonly number[], size: number, target: Uint8Array): void {
  const take = <Values extends Uint16Array | Uint32Array | Float64Array>(from: Values, to: Values): void => {
    for (let index = 0; index < columns.length; index++) to[index] = from[columns[index] ?? 0] ?? 0;
  };
  if (size === 2) take(new Uint16Array(row.buffer, row.byteOffset, row.byteLength / 2), new Uint16Array(target.buffer, target.byteOffset, columns.length));
  else if (size === 4) take(new Uint32Array(row.buffer, row.byteOffset, row.byteLength / 4), new Uint32Array(target.buffer, target.byteOffset, columns.length));
  else take(new Float64Array(row.buffer, row.byteOffset, row.byteLength / 8), new Float64Array(target.buffer, target.byteOffset, columns.length));
}
