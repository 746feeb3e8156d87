/** Shape rules that several operators share: broadcasting, axes, and summing a gradient back over broadcast axes. */
import { ShapeError } from '../support/errors';
import type { GraphBuilder } from './builder';
import type { Dim } from './dims';
import type { Value } from './graph';

/** The common shape of two operands by ONNX's multidirectional broadcasting. Throws ShapeError. */
export function broadcastShapes(op: string, left: readonly Dim[], right: readonly Dim[]): Dim[] {
  const rank = Math.max(left.length, right.length);
  return Array.from({ length: rank }, (_, axis) => {
    const a = left[axis - (rank - left.length)] ?? 1;
    const b = right[axis - (rank - right.length)] ?? 1;
    if (a === b || b === 1) return a;
    if (a === 1) return b;
    throw shapeError(op, `shapes that broadcast`, [left, right]);
  });
}

/** A ShapeError that names the operator, what it expects and what it was given. */
export function shapeError(op: string, expected: string, shapes: readonly (readonly Dim[])[]): ShapeError {
  const actual = shapes.map((shape) => `[${shape.join(', ')}]`);
  return new ShapeError(`${op} expects ${expected}, found ${actual.join(' and ')}.`, { details: { op, expected, actual } });
}

/** An axis counted from the front. Throws ShapeError if there is no such axis. */
export function normaliseAxis(op: string, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= rank) throw new ShapeError(`${op}: there is no axis ${axis} in a tensor of rank ${rank}.`);
  return normal;
}

/** Sums a gradient over the axes along which an operand of `shape` was broadcast. */
export function sumToShape(builder: GraphBuilder, gradient: Value, shape: readonly Dim[]): Value {
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((dim, axis) => (axis < lead || (shape[axis - lead] === 1 && dim !== 1) ? [axis] : []));
  if (axes.length === 0) return gradient;
  const summed = builder.reduceSum(gradient, axes);
  return summed.shape.length === shape.length ? summed : builder.reshape(summed, shape);
}

/** The input of an operator at a position; throws ShapeError if it was given too few. */
export function inputAt(op: string, inputs: readonly Value[], index: number): Value {
  const value = inputs[index];
  if (value === undefined) throw new ShapeError(`${op} was given ${inputs.length} inputs, at least ${index + 1} are needed.`);
  return value;
}
