/** Arithmetic on shapes: element counts that cannot silently overflow, comparison, and shapes for people. */
import { ShapeError } from '../support/errors';

/** Product of a shape's sizes (1 for a scalar). Throws ShapeError for negative or fractional sizes and beyond 2^53. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ShapeError(`A shape holds the size ${size}; expected whole numbers from 0 on.`, {
        details: { expected: 'whole numbers from 0 on', actual: describeShape(shape) },
      });
    }
    count *= size;
    if (!Number.isSafeInteger(count)) {
      throw new ShapeError(`The shape ${describeShape(shape)} has more elements than can be counted exactly.`, {
        details: { expected: 'fewer than 2^53 elements', actual: describeShape(shape) },
      });
    }
  }
  return count;
}

/** Whether two shapes are the same. */
export function sameShape(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((size, axis) => size === right[axis]);
}

/** A shape for people: `[2, 3]`. */
export function describeShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
