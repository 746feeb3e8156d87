/**
 * Large float64 matrices in memory, cut into panels of columns: each panel is row-major without gaps, so that any run
 * of its rows is an operand of a product as it is, and no single buffer grows with the square of the size.
 */
import { InternalError, ShapeError } from '../support/errors';

/** Columns in a panel. Wider makes products faster, and the diagonal blocks, which JavaScript does, slower. */
export const PANEL_WIDTH = 256;

/** Number of panels that `size` columns make. */
export function panelCount(size: number, width: number): number {
  return Math.ceil(size / width);
}

/** Columns of one panel; the last may be narrower. */
export function panelWidth(size: number, width: number, panel: number): number {
  return Math.min(width, size - panel * width);
}

/**
 * A symmetric matrix [n, n] of which the lower triangle is held: panel p has rows p*width to n and its own columns,
 * shape [n - p*width, width]. Above the diagonal, inside a panel's topmost square, numbers are not to be relied on.
 * Memory: 4 n^2 bytes and a little (855 MB at n = 14,336), in buffers of at most 8 n width bytes (29 MB there).
 */
export class SymmetricMatrix {
  private held: readonly Float64Array[] | null;

  private constructor(
    readonly size: number,
    readonly width: number,
    panels: readonly Float64Array[],
  ) {
    this.held = panels;
  }

  /** All zero. Throws ShapeError on a size that is no positive whole number. */
  static zeros(size: number, width = PANEL_WIDTH): SymmetricMatrix {
    expectSize('A symmetric matrix', size);
    expectSize('A panel', width);
    const panels = Array.from(
      { length: panelCount(size, width) },
      (_, panel) => new Float64Array((size - panel * width) * panelWidth(size, width, panel)),
    );
    return new SymmetricMatrix(size, width, panels);
  }

  /** Throws InternalError once the panels were taken. */
  get panels(): readonly Float64Array[] {
    if (this.held === null) throw new InternalError('This symmetric matrix was given away to be overwritten and is used again.');
    return this.held;
  }

  /** Gives the panels away: this object may not be used afterwards, its memory is the taker's. */
  takePanels(): readonly Float64Array[] {
    const { panels } = this;
    this.held = null;
    return panels;
  }

  /** One entry; reads the lower triangle whichever way the indices stand. */
  at(row: number, column: number): number {
    const low = Math.max(row, column);
    const left = Math.min(row, column);
    const panel = Math.floor(left / this.width);
    const start = panel * this.width;
    return this.panels[panel]?.[(low - start) * panelWidth(this.size, this.width, panel) + left - start] ?? Number.NaN;
  }

  /** The diagonal, [n]. */
  diagonal(): Float64Array {
    return Float64Array.from({ length: this.size }, (_, index) => this.at(index, index));
  }

  /** The rows and columns at `indices`, in their order, as a matrix of its own. Throws ShapeError on a wrong index. */
  select(indices: readonly number[]): SymmetricMatrix {
    expectIndices(indices, this.size);
    const selected = SymmetricMatrix.zeros(indices.length, this.width);
    selected.panels.forEach((target, panel) => {
      const start = panel * this.width;
      this.gather(indices.slice(start), indices.slice(start, start + this.width), target);
    });
    return selected;
  }

  /** Entries at all pairs of `rows` and `columns`, written to `into` [rows, columns]. */
  gather(rows: readonly number[], columns: readonly number[], into: Float64Array): void {
    let at = 0;
    for (const row of rows) {
      for (const column of columns) into[at++] = this.at(row, column);
    }
  }
}

/**
 * A matrix [rows, columns], each panel [rows, width]. Memory: 8 rows columns bytes, in buffers of at most 8 rows width.
 */
export class ColumnPanels {
  private constructor(
    readonly rows: number,
    readonly columns: number,
    readonly width: number,
    readonly panels: readonly Float64Array[],
  ) {}

  /** All zero. Throws ShapeError on sizes that are no positive whole numbers. */
  static zeros(rows: number, columns: number, width = PANEL_WIDTH): ColumnPanels {
    for (const size of [rows, columns]) expectSize('A side of a matrix', size);
    expectSize('A panel', width);
    const panels = Array.from(
      { length: panelCount(columns, width) },
      (_, panel) => new Float64Array(rows * panelWidth(columns, width, panel)),
    );
    return new ColumnPanels(rows, columns, width, panels);
  }

  /** One entry. */
  at(row: number, column: number): number {
    const panel = Math.floor(column / this.width);
    const own = panelWidth(this.columns, this.width, panel);
    return this.panels[panel]?.[row * own + column - panel * this.width] ?? Number.NaN;
  }

  /** Adds each entry to a float32 matrix [.., columns], from its row `fromRow` on; the first `count` rows only. */
  addTo(target: Float32Array, fromRow: number, count: number): void {
    this.panels.forEach((panel, index) => {
      const own = panelWidth(this.columns, this.width, index);
      for (let row = 0; row < count; row++) {
        const start = (fromRow + row) * this.columns + index * this.width;
        for (let column = 0; column < own; column++) {
          // Added in float64 and rounded once, when stored.
          target[start + column] = (target[start + column] ?? 0) + (panel[row * own + column] ?? 0);
        }
      }
    });
  }
}

/** Throws ShapeError unless the indices are whole numbers below `size`, rising. */
export function expectIndices(indices: readonly number[], size: number): void {
  let last = -1;
  for (const index of indices) {
    if (!Number.isInteger(index) || index <= last || index >= size) {
      throw new ShapeError(`Kept positions must rise and lie below ${size}; found ${index} after ${last}.`, {
        details: { op: 'select', expected: `below ${size}, above ${last}`, actual: String(index) },
      });
    }
    last = index;
  }
}

function expectSize(what: string, size: number): void {
  if (Number.isInteger(size) && size > 0) return;
  throw new ShapeError(`${what} has size ${size}, expected a positive whole number.`, {
    details: { op: 'algebra', expected: 'a positive whole number', actual: String(size) },
  });
}
