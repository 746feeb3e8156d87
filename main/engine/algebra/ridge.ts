/** Least squares with a ridge: weights of a linear layer from the statistics of what enters and should leave it. */
import { InternalError, ShapeError } from '../support/errors';
import type { Tensor32 } from '../tensors/handle';
import { factorise, factoriseEffort, solveEffort, solveRows, type CholeskyFactor } from './cholesky';
import { countSteps, type Step, type Watch } from './effort';
import type { Gemm64 } from './gemm64';
import { ColumnPanels, panelWidth, type SymmetricMatrix } from './panels';

/** Rows of weights that are solved for at once: bounds the workspace to 8 n times so many bytes (117 MB at n = 14,336). */
const SOLVED_AT_ONCE = 1024;

export interface RidgeOptions extends Watch {
  /** Ridge as a share of the mean of the Gram's diagonal; 0.01 is usual, 0 none. */
  readonly ridge: number;
  /** W0 [m, n], towards which the ridge pulls; absent for 0. */
  readonly prior?: Tensor32;
  /** The Gram may be overwritten and is not usable afterwards; saves a copy of it, 4 n^2 bytes. */
  readonly overwriteGram?: boolean;
}

/**
 * The weights W [m, n] that minimise ||X W^T - Y||^2 + ridge mean(diag G) ||W - W0||^2 over the rows of X and Y, each
 * weighted as in the statistics: W (G + r I) = Y^T X + r W0, with G = X^T X [n, n], `cross` = Y^T X [m, n] and
 * r = ridge mean(diag G) (Hoerl and Kennard 1970; Golub and Van Loan, section 6.1.4). Layers that share their inputs
 * are solved at once by gathering their outputs side by side: the factor is then made once.
 *
 * Accuracy: that of a float64 Cholesky, relative error about n 2^-53 cond(G + r I), where the condition number is at
 * most n / ridge whatever G is; then rounded to float32. So with n = 14,336 and ridge 0.01 about 2e-6 at the very worst.
 * Memory besides the arguments: 4 n^2 bytes for the factor (none with `overwriteGram`), 8,192 n for right-hand sides,
 * 24 n width of workspace, 4 m n for the result. Cost: n^3 / 3 + 2 m n^2 operations.
 * Throws PlanError where G + r I is not positive definite or not finite, ShapeError where sizes do not fit,
 * CancelledError between products.
 */
export async function solveRidge(gemm: Gemm64, gram: SymmetricMatrix, cross: ColumnPanels, options: RidgeOptions): Promise<Tensor32> {
  const { size, width } = gram;
  const { prior } = options;
  if (cross.columns !== size || cross.width !== width) throw misfit('cross products', [cross.rows, size], [cross.rows, cross.columns]);
  if (prior !== undefined && prior.shape.join() !== [cross.rows, size].join()) throw misfit('prior', [cross.rows, size], prior.shape);
  const shift = ridgeShift(gram, options.ridge);
  const step = countSteps(factoriseEffort(size, width) + solveEffort(size, width, cross.rows), options);
  const factor = await factorise(gemm, gram, shift, { overwrite: options.overwriteGram === true, step });
  const weights = new Float32Array(cross.rows * size);
  await solveInChunks(gemm, factor, cross.rows, { step, into: weights }, async (sides, from, rows) => {
    sides.panels.forEach((side, panel) => {
      const own = panelWidth(size, width, panel);
      const source = cross.panels[panel]?.subarray(from * own, (from + rows) * own) ?? [];
      side.set(source);
      if (prior === undefined) return;
      for (let row = 0; row < rows; row++) {
        const start = (from + row) * size + panel * width;
        for (let column = 0; column < own; column++) {
          side[row * own + column] = (side[row * own + column] ?? 0) + shift * (prior.data[start + column] ?? 0);
        }
      }
    });
  });
  return { shape: [cross.rows, size], data: weights };
}

/** What the ridge adds to the diagonal. Throws InternalError on a ridge that is negative or no number. */
export function ridgeShift(gram: SymmetricMatrix, ridge: number): number {
  if (!(ridge >= 0 && ridge < Infinity)) throw new InternalError(`A ridge must be a number from 0 on, found ${ridge}.`);
  return (ridge * gram.diagonal().reduce((sum, value) => sum + value, 0)) / gram.size;
}

/**
 * Solves for `rows` rows in chunks and adds the solutions to `into` [rows, n]. `fill` writes the right-hand sides of a
 * chunk: the first rows of `sides`, for the rows of the result from `from` on.
 */
export async function solveInChunks(
  gemm: Gemm64,
  factor: CholeskyFactor,
  rows: number,
  options: { readonly step: Step; readonly into: Float32Array },
  fill: (sides: ColumnPanels, from: number, rows: number) => Promise<void>,
): Promise<void> {
  const sides = ColumnPanels.zeros(Math.min(rows, SOLVED_AT_ONCE), factor.size, factor.width);
  for (let from = 0; from < rows; from += SOLVED_AT_ONCE) {
    const count = Math.min(SOLVED_AT_ONCE, rows - from);
    await fill(sides, from, count);
    await solveRows(gemm, factor, sides, { rows: count, step: options.step });
    sides.addTo(options.into, from, count);
  }
}

function misfit(name: string, expected: readonly number[], actual: readonly number[]): ShapeError {
  return new ShapeError(`The ${name} of a least-squares problem have shape [${actual.join(', ')}], expected [${expected.join(', ')}], cut alike.`, {
    details: { tensor: name, expected: expected.map(String), actual: actual.map(String) },
  });
}
