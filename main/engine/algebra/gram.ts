/** Statistics of the rows that enter and leave a linear layer: Gram matrix and cross products, gathered row by row. */
import { InternalError, PlanError, ShapeError } from '../support/errors';
import { breathe } from '../support/progress';
import type { Gemm64 } from './gemm64';
import { ColumnPanels, PANEL_WIDTH, panelWidth, SymmetricMatrix } from './panels';

/** Rows of the data that one product sums over; the transposed copies hold so many. */
const ROWS_AT_ONCE = 1024;
/** Rows of a panel that are updated at once: what a product writes is still in the cache when it is copied back. */
const PANEL_ROWS_AT_ONCE = 1024;
/** Rows that are transposed together, so that neither reading nor writing jumps far. */
const TRANSPOSED_TOGETHER = 32;

/** What `GramAccumulator.finish` gives. */
export interface GramStatistics {
  /** X^T diag(w) X, [n, n]. */
  readonly gram: SymmetricMatrix;
  /** Y^T diag(w) X, [m, n]: the transpose of X^T diag(w) Y, so that it lies like the weights [out, in]. */
  readonly cross: ColumnPanels | null;
  /** Rows that were added. */
  readonly rows: number;
  /** Sum of their weights; `rows` where none were given. */
  readonly weight: number;
}

/** Rows of data with what belongs to each. */
export interface DataRows {
  /** X, [rows, n]. */
  readonly inputs: Float32Array;
  /** Y, [rows, m]; wanted exactly if the accumulator has outputs. */
  readonly outputs?: Float32Array;
  /** w, [rows], not negative; absent for 1. */
  readonly weights?: Float32Array;
}

/**
 * Gathers G = X^T diag(w) X and, with outputs, Y^T diag(w) X of float32 rows that come in chunks of any size.
 *
 * Accuracy: float64. Products of two float32 numbers are exact in it, so that without weights each entry is within
 * N 2^-53 sum |x_i y_j| of the exact sum over its N rows, whatever their order; with weights, within (N + 1) 2^-53
 * sum |w x_i y_j| (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1).
 *
 * Memory: 4 n^2 bytes for G and 8 m n for the cross products, and 8,192 (n + m) for one transposed chunk; buffers of
 * at most 8,192 max(n, m) bytes. With n = 14,336: 855 MB and 117 MB; see `gramBytes`.
 * Cost: n^2 operations a row (symmetry halves it), and 2 m n with outputs.
 */
export class GramAccumulator {
  private readonly gram: SymmetricMatrix;
  private readonly cross: ColumnPanels | null;
  /** X^T and Y^T of the rows that wait, [n, ROWS_AT_ONCE] and [m, ROWS_AT_ONCE], and their weights. */
  private readonly inputs: Float64Array;
  private readonly outputs: Float64Array;
  private readonly weights = new Float64Array(ROWS_AT_ONCE).fill(1);
  private readonly scratch: Float64Array;
  private isWeighted = false;
  private waiting = 0;
  private rows = 0;
  private weight = 0;
  private isBusy = false;

  /** For `inputs` n columns of X, and `outputs` m columns of Y (0: no cross products). Throws ShapeError. */
  constructor(
    private readonly gemm: Gemm64,
    private readonly sizes: { readonly inputs: number; readonly outputs?: number; readonly width?: number },
  ) {
    const { inputs, outputs = 0, width = PANEL_WIDTH } = sizes;
    this.gram = SymmetricMatrix.zeros(inputs, width);
    this.cross = outputs === 0 ? null : ColumnPanels.zeros(outputs, inputs, width);
    this.inputs = new Float64Array(inputs * ROWS_AT_ONCE);
    this.outputs = new Float64Array(outputs * ROWS_AT_ONCE);
    this.scratch = new Float64Array(PANEL_ROWS_AT_ONCE * Math.min(width, inputs));
  }

  /**
   * Adds rows; wait for it before the next call. The arrays are copied. Throws ShapeError where lengths do not fit,
   * InternalError on a weight below zero, CancelledError once the signal was raised: the accumulator is useless then.
   */
  async add(data: DataRows, signal?: AbortSignal): Promise<void> {
    const { inputs: n, outputs: m = 0 } = this.sizes;
    const rows = data.inputs.length / n;
    expectLength('inputs', data.inputs, Math.ceil(rows) * n);
    expectLength('outputs', data.outputs ?? [], rows * m);
    if (data.weights !== undefined) {
      expectLength('weights', data.weights, rows);
      if (!data.weights.every((weight) => weight >= 0)) throw new InternalError('Weights of rows must not be negative.');
    }
    await this.exclusively(async () => {
      for (let from = 0; from < rows; ) {
        const count = Math.min(rows - from, ROWS_AT_ONCE - this.waiting);
        transposeInto(this.inputs, this.waiting, data.inputs, n, from, count);
        if (data.outputs !== undefined) transposeInto(this.outputs, this.waiting, data.outputs, m, from, count);
        for (let row = 0; row < count; row++) {
          const weight = data.weights?.[from + row] ?? 1;
          this.weights[this.waiting + row] = weight;
          this.weight += weight;
          if (weight !== 1) this.isWeighted = true;
        }
        from += count;
        this.rows += count;
        this.waiting += count;
        if (this.waiting === ROWS_AT_ONCE) await this.flush(signal);
      }
    });
  }

  /**
   * The statistics of all rows so far; nothing may be added afterwards, their memory is the caller's. Throws PlanError
   * where a number of the data was not finite.
   */
  async finish(signal?: AbortSignal): Promise<GramStatistics> {
    await this.exclusively(() => this.flush(signal));
    this.isBusy = true;
    const { gram, cross, rows, weight } = this;
    if (!gram.diagonal().every(Number.isFinite) || cross?.panels.every((panel) => panel.every(Number.isFinite)) === false) {
      throw new PlanError('The statistics of a layer are not finite numbers.', {
        hint: 'The model gave numbers that are infinite or undefined on these texts; check the model file.',
      });
    }
    return { gram, cross, rows, weight };
  }

  private async exclusively(work: () => Promise<void>): Promise<void> {
    if (this.isBusy) throw new InternalError('Rows were added while others were still being added, or after the end.');
    this.isBusy = true;
    await work();
    this.isBusy = false;
  }

  private async flush(signal: AbortSignal | undefined): Promise<void> {
    const { inputs: n, outputs: m = 0 } = this.sizes;
    const count = this.waiting;
    if (count === 0) return;
    const inputs = withoutGaps(this.inputs, n, count);
    const outputs = withoutGaps(this.outputs, m, count);
    for (const [index, panel] of this.gram.panels.entries()) {
      const start = index * this.gram.width;
      const own = panelWidth(n, this.gram.width, index);
      const columns = this.weighted(inputs.subarray(start * count, (start + own) * count), count);
      await this.accumulate(panel, inputs.subarray(start * count), columns, own, count, signal);
      const cross = this.cross?.panels[index];
      if (cross !== undefined) await this.accumulate(cross, outputs, columns, own, count, signal);
    }
    this.waiting = 0;
    this.isWeighted = false;
  }

  /** target [rows, columns] += left [rows, count] . right [columns, count]^T */
  private async accumulate(
    target: Float64Array,
    left: Float64Array,
    right: Float64Array,
    columns: number,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const all = target.length / columns;
    for (let from = 0; from < all; from += PANEL_ROWS_AT_ONCE) {
      const rows = Math.min(PANEL_ROWS_AT_ONCE, all - from);
      const part = target.subarray(from * columns, (from + rows) * columns);
      const into = this.scratch.subarray(0, part.length);
      await this.gemm.multiply({
        left: left.subarray(from * count, (from + rows) * count),
        right,
        transposeRight: true,
        rows,
        inner: count,
        columns,
        added: part,
        into,
      });
      part.set(into);
      await breathe(signal);
    }
  }

  /** Transposed rows [columns, count] times the weights that wait; as they are where all weights are 1. */
  private weighted(transposed: Float64Array, count: number): Float64Array {
    if (!this.isWeighted) return transposed;
    return transposed.map((value, at) => value * (this.weights[at % count] ?? 0));
  }
}

/** Bytes that an accumulator holds, and of them what `finish` gives; n inputs and m outputs. */
export function gramBytes(inputs: number, outputs: number, width = PANEL_WIDTH): { readonly whileAdding: number; readonly result: number } {
  const result = 4 * inputs * (inputs + Math.min(width, inputs)) + 8 * inputs * outputs;
  // A weighted copy of the columns of one panel, and the scratch that products write to.
  const workspace = 8 * Math.min(width, inputs) * (ROWS_AT_ONCE + PANEL_ROWS_AT_ONCE);
  return { whileAdding: result + 8 * ROWS_AT_ONCE * (inputs + outputs) + workspace, result };
}

/** Writes rows [from, from + count) of `rows` [.., columns] as columns of `target` [columns, ROWS_AT_ONCE]. */
function transposeInto(target: Float64Array, at: number, rows: Float32Array, columns: number, from: number, count: number): void {
  for (let block = 0; block < count; block += TRANSPOSED_TOGETHER) {
    const end = Math.min(count, block + TRANSPOSED_TOGETHER);
    for (let column = 0; column < columns; column++) {
      for (let row = block; row < end; row++) {
        target[column * ROWS_AT_ONCE + at + row] = rows[(from + row) * columns + column] ?? 0;
      }
    }
  }
}

/** Moves [lines, ROWS_AT_ONCE], of which `count` columns are filled, together to [lines, count]. */
function withoutGaps(transposed: Float64Array, lines: number, count: number): Float64Array {
  if (count < ROWS_AT_ONCE) {
    for (let line = 1; line < lines; line++) {
      transposed.copyWithin(line * count, line * ROWS_AT_ONCE, line * ROWS_AT_ONCE + count);
    }
  }
  return transposed.subarray(0, lines * count);
}

function expectLength(name: string, data: ArrayLike<number>, length: number): void {
  if (data.length === length) return;
  throw new ShapeError(`The ${name} of rows of data hold ${data.length} numbers, expected ${length}.`, {
    details: { tensor: name, expected: String(length), actual: String(data.length) },
  });
}
