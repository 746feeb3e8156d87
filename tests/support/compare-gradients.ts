/** What tests of training compare: adapters whose factors all count, gradients as flat lists, and their distance. */
import { expect } from 'vitest';
import { createAdapter, type LoraAdapter } from '../../main/engine/execution/adapter';
import { LINEAR_ROLES, type LinearRole, type ModelConfig } from '../../main/engine/model/config';
import { Random } from '../../main/engine/support/random';
import { flattenFactors, flattenGradients, type BatchGradients } from '../../main/engine/training/lora-gradients';

/** An adapter with factors that are not zero, so that every gradient counts. */
export function filledAdapter(config: ModelConfig, options: { readonly rank?: number; readonly targets?: readonly LinearRole[] } = {}): LoraAdapter {
  const { rank = 2, targets = LINEAR_ROLES } = options;
  const random = Random.fromSeed(3);
  const adapter = createAdapter(config, { rank, alpha: 2 * rank, targets, random });
  for (const values of flattenFactors(adapter)) for (let at = 0; at < values.length; at++) values[at] = 0.05 * random.nextNormal();
  return adapter;
}

/** Gradients in the order of the factors, copied: the next call overwrites them. */
export function flatCopy(adapter: LoraAdapter, gradients: BatchGradients): Float32Array[] {
  return flattenGradients(adapter, gradients).map((values) => values.slice());
}

/** Relative L2 distance of lists of equal shape; NaN where one has more. */
export function relativeDistance(actual: readonly Float32Array[], expected: readonly Float32Array[]): number {
  let [difference, square] = [0, 0];
  expected.forEach((values, index) => {
    values.forEach((value, at) => {
      difference += (value - (actual[index]?.[at] ?? Number.NaN)) ** 2;
      square += value * value;
    });
  });
  return Math.sqrt(difference / square);
}

/** Float32 sums in another order differ by some 1e-6. */
export function expectSame(actual: readonly Float32Array[], expected: readonly Float32Array[], tolerance = 2e-5): void {
  const apart = relativeDistance(actual, expected);
  expect(apart <= tolerance, `differs by ${apart}`).toBe(true);
}
