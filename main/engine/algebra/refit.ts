/** Refits a linear layer to fewer inputs: what the removed channels gave is taken over, as far as it can be, by the kept. */
import { ShapeError } from '../support/errors';
import type { Tensor32 } from '../tensors/handle';
import { factorise, factoriseEffort, solveEffort } from './cholesky';
import { countSteps, type Watch } from './effort';
import type { Gemm64 } from './gemm64';
import { expectIndices, panelWidth, type SymmetricMatrix } from './panels';
import { ridgeShift, solveInChunks } from './ridge';

export interface RefitProblem extends Watch {
  /** G = X^T diag(w) X [n, n] over all inputs of the layer, removed ones too. Left as it is. */
  readonly gram: SymmetricMatrix;
  /** W [m, n], the layer's weights over all inputs. */
  readonly weight: Tensor32;
  /** Positions K of the inputs that remain, rising; at least one. */
  readonly kept: readonly number[];
  /** Ridge as a share of the mean of the diagonal of G[K, K]; it pulls towards W[:, K]. 0.01 is usual. */
  readonly ridge: number;
}

/**
 * The weights W' [m, k] of the kept inputs that best give the layer's old output: they minimise
 * ||X_K W'^T - X W^T||^2 + r ||W' - W[:, K]||^2 with r = ridge mean(diag G[K, K]).
 *
 * Solved as a correction, which is exactly zero where nothing is removed: with the removed inputs R,
 * W' = W[:, K] + W[:, R] G[R, K] (G[K, K] + r I)^-1, which equals (W G[:, K] + r W[:, K]) (G[K, K] + r I)^-1
 * (normal equations: Golub and Van Loan, Matrix Computations, 4th ed., section 5.3; taking over what was removed by
 * second-order statistics: Optimal Brain Surgeon, Hassibi and Stork 1993).
 *
 * Accuracy as `solveRidge`. Memory besides the arguments: 4 k^2 bytes for the factor, 8,192 n for a chunk of rows,
 * 8 (|R| + 3 k) width of workspace, 4 m k for the result. Cost: k^3 / 3 + 2 m k^2 + 2 m k |R| operations.
 * Throws ShapeError where sizes do not fit, PlanError where G[K, K] + r I is not positive definite or not finite,
 * CancelledError between products.
 */
export async function refitColumns(gemm: Gemm64, problem: RefitProblem): Promise<Tensor32> {
  const { gram, kept, weight } = problem;
  const n = gram.size;
  const [m = 0, columns = 0] = weight.shape;
  if (weight.shape.length !== 2 || columns !== n || kept.length === 0) {
    throw new ShapeError(`A layer of weights [${weight.shape.join(', ')}] cannot be refitted to ${kept.length} of ${n} inputs.`, {
      details: { op: 'refit', expected: `[out, ${n}]`, actual: weight.shape.map(String) },
    });
  }
  expectIndices(kept, n);
  const isKept = new Set(kept);
  const removed = Array.from({ length: n }, (_, index) => index).filter((index) => !isKept.has(index));
  const refitted = new Float32Array(m * kept.length);
  copyColumns(weight.data, n, kept, 0, m, refitted);
  const result = { shape: [m, kept.length], data: refitted };
  if (removed.length === 0) return result;

  const own = gram.select(kept);
  const { size, width } = own;
  const step = countSteps(factoriseEffort(size, width) + solveEffort(size, width, m) + m * size * removed.length, problem);
  const factor = await factorise(gemm, own, ridgeShift(own, problem.ridge), { overwrite: true, step });
  const coupling = new Float64Array(removed.length * Math.min(width, size));
  await solveInChunks(gemm, factor, m, { step, into: refitted }, async (sides, from, rows) => {
    const lost = new Float64Array(rows * removed.length);
    copyColumns(weight.data, n, removed, from, rows, lost);
    for (const [panel, side] of sides.panels.entries()) {
      const across = panelWidth(size, width, panel);
      const between = coupling.subarray(0, removed.length * across);
      gram.gather(removed, kept.slice(panel * width, panel * width + across), between);
      await gemm.multiply({
        left: lost,
        right: between,
        transposeRight: false,
        rows,
        inner: removed.length,
        columns: across,
        into: side.subarray(0, rows * across),
      });
      await step(rows * removed.length * across);
    }
  });
  return result;
}

/** Copies some columns of rows [from, from + rows) of a matrix [.., n] to a matrix [rows, positions]. */
function copyColumns(
  source: Float32Array,
  n: number,
  positions: readonly number[],
  from: number,
  rows: number,
  into: Float32Array | Float64Array,
): void {
  let at = 0;
  for (let row = from; row < from + rows; row++) {
    for (const position of positions) into[at++] = source[row * n + position] ?? 0;
  }
}
