/** Blocked Cholesky factorisation of large symmetric matrices and solves with it: products by ONNX Runtime. */
import { InternalError, PlanError } from '../support/errors';
import { factoriseBlock, invertLower } from './diagonal-block';
import type { Step } from './effort';
import type { Gemm64 } from './gemm64';
import { type ColumnPanels, panelCount, panelWidth, type SymmetricMatrix } from './panels';

/** L with L L^T = A + shift I. Panels as those of SymmetricMatrix, their topmost squares lower triangular. */
export interface CholeskyFactor {
  readonly size: number;
  readonly width: number;
  readonly panels: readonly Float64Array[];
  /** Inverses of the diagonal blocks, [width, width] each. */
  readonly inverses: readonly Float64Array[];
}

/** Multiply-adds of `factorise`: about n^3 / 6 and what the diagonal blocks waste. */
export function factoriseEffort(size: number, width: number): number {
  let total = 0;
  for (let panel = 0; panel < panelCount(size, width); panel++) {
    total += (size - panel * width) * panelWidth(size, width, panel) * (panel + 1) * width;
  }
  return total;
}

/** Multiply-adds of `solveRows` for `rows` right-hand sides: about rows n^2. */
export function solveEffort(size: number, width: number, rows: number): number {
  const panels = panelCount(size, width);
  return rows * panels * (panels + 1) * width * width;
}

/**
 * Factorises A + shift I, one panel of columns after the other, each from those before it ("left-looking": Golub and
 * Van Loan, Matrix Computations, 4th ed., section 4.2.6), so that A is only read. The rows below a diagonal block are
 * multiplied by its inverse instead of solved with it; what that costs in accuracy is a factor of the condition of the
 * block, not of the matrix (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapters 10 and 14).
 *
 * With `overwrite` the factor takes A's memory and A may not be used afterwards; otherwise the factor takes as much
 * again. Besides: 16 n width bytes of workspace and 8 n width of inverses. Cost: n^3 / 3 operations.
 * Throws PlanError where the matrix is not positive definite to rounding (a pivot of at most n 2^-52 of its diagonal
 * entry) or not finite, CancelledError from `step`; A is lost then, if it was to be overwritten.
 */
export async function factorise(
  gemm: Gemm64,
  matrix: SymmetricMatrix,
  shift: number,
  options: { readonly overwrite: boolean; readonly step: Step },
): Promise<CholeskyFactor> {
  const { size, width } = matrix;
  const floors = pivotFloors(matrix, shift);
  const sources = options.overwrite ? matrix.takePanels() : matrix.panels;
  const panels: Float64Array[] = [];
  const inverses: Float64Array[] = [];
  let current = new Float64Array(size * Math.min(width, size));
  let next = new Float64Array(current.length);
  for (const [panel, source] of sources.entries()) {
    const rows = size - panel * width;
    const own = panelWidth(size, width, panel);
    const length = rows * own;
    current.set(source);
    for (let at = 0; at < own; at++) current[at * own + at] = (current[at * own + at] ?? 0) + shift;
    for (const [before, left] of panels.entries()) {
      const below = left.subarray((panel - before) * width * width);
      await gemm.multiply({
        left: below,
        right: below.subarray(0, own * width),
        transposeRight: true,
        rows,
        inner: width,
        columns: own,
        added: current.subarray(0, length),
        sign: -1,
        into: next.subarray(0, length),
      });
      [current, next] = [next, current];
      await options.step(rows * own * width);
    }
    const block = current.subarray(0, own * own);
    const failed = factoriseBlock(block, own, floors.subarray(panel * width));
    if (failed >= 0) throw notPositiveDefinite(size, panel * width + failed, shift);
    const inverse = invertLower(block, own);
    const result = options.overwrite ? source : new Float64Array(length);
    result.set(block);
    await gemm.multiply({
      left: current.subarray(own * own, length),
      right: inverse,
      transposeRight: true,
      rows: rows - own,
      inner: own,
      columns: own,
      into: result.subarray(own * own),
    });
    panels.push(result);
    inverses.push(inverse);
    await options.step(rows * own * width);
  }
  return { size, width, panels, inverses };
}

/**
 * Solves X (A + shift I) = B for the rows X of `rightSides`, [rows, n], in place: X = B L^-T L^-1. Only the first
 * `rows` rows of the panels' memory are used. Workspace: 16 rows width bytes. Cost: 2 rows n^2 operations.
 */
export async function solveRows(
  gemm: Gemm64,
  factor: CholeskyFactor,
  rightSides: ColumnPanels,
  options: { readonly rows: number; readonly step: Step },
): Promise<void> {
  const { size, width } = factor;
  if (rightSides.columns !== size || rightSides.width !== width) {
    throw new InternalError(`Right-hand sides are cut as ${rightSides.columns} by ${rightSides.width}, the factor as ${size} by ${width}.`);
  }
  const { rows } = options;
  const sides = rightSides.panels.map((panel, index) => panel.subarray(0, rows * panelWidth(size, width, index)));
  let current = new Float64Array(rows * Math.min(width, size));
  let next = new Float64Array(current.length);

  const solvePanel = async (panel: number, others: readonly number[], isForward: boolean): Promise<void> => {
    const own = panelWidth(size, width, panel);
    const side = entry(sides, panel);
    current.set(side);
    for (const other of others) {
      const inner = panelWidth(size, width, other);
      // The block of L that couples both panels: L[panel, other] on the way forward, L[other, panel] on the way back.
      const [column, row] = isForward ? [other, panel] : [panel, other];
      const start = (row - column) * width * panelWidth(size, width, column);
      await gemm.multiply({
        left: entry(sides, other),
        right: entry(factor.panels, column).subarray(start, start + own * inner),
        transposeRight: isForward,
        rows,
        inner,
        columns: own,
        added: current.subarray(0, rows * own),
        sign: -1,
        into: next.subarray(0, rows * own),
      });
      [current, next] = [next, current];
      await options.step(rows * width * width);
    }
    await gemm.multiply({
      left: current.subarray(0, rows * own),
      right: entry(factor.inverses, panel),
      transposeRight: isForward,
      rows,
      inner: own,
      columns: own,
      into: side,
    });
    await options.step(rows * width * width);
  };

  const order = [...factor.panels.keys()];
  for (const panel of order) await solvePanel(panel, order.slice(0, panel), true);
  for (const panel of order.toReversed()) await solvePanel(panel, order.slice(panel + 1), false);
}

/** Pivots at or below these are rounding (Higham, section 10.3). Throws PlanError on entries that are not finite. */
function pivotFloors(matrix: SymmetricMatrix, shift: number): Float64Array {
  return matrix.diagonal().map((value, index) => {
    if (Number.isFinite(value + shift)) return (value + shift) * matrix.size * Number.EPSILON;
    throw new PlanError(`The statistics of channel ${index} of ${matrix.size} are not finite numbers.`, {
      hint: 'The model gave numbers that are infinite or undefined on these texts; check the model file.',
      details: { channel: index, size: matrix.size },
    });
  });
}

function notPositiveDefinite(size: number, channel: number, shift: number): PlanError {
  return new PlanError(
    `The least-squares problem of ${size} channels has no single solution: channel ${channel} follows from those before it.`,
    {
      hint: 'Use a larger ridge, or measure on more text.',
      details: { channel, size, ridge: shift },
    },
  );
}

function entry(list: readonly Float64Array[], index: number): Float64Array {
  const found = list[index];
  if (found === undefined) throw new InternalError(`There is no panel ${index} of ${list.length}.`);
  return found;
}
