/**
 * Slice: the positions start..end-1 of one axis. Where these are symbols, the size of the result is given too, since
 * the difference of two symbols is no dimension of ours; no gradient flows through such a slice.
 */
import type { Dim } from '../dims';
import type { Attributes } from '../graph';
import { dimsAttribute, namesOf, numberAttribute, type OpRule } from '../op-rule';
import { inputAt, normaliseAxis, shapeError } from '../shapes';

export const sliceRule: OpRule = {
  op: 'Slice',
  infer(inputs, attributes) {
    const input = inputAt('Slice', inputs, 0);
    const axis = normaliseAxis('Slice', numberAttribute(attributes, 'axis'), input.shape.length);
    const [start, end, size] = [...boundsOf(attributes), input.shape[axis]];
    const [given] = dimsAttribute(attributes, 'length');
    if (given !== undefined) return [{ type: input.type, shape: input.shape.map((dim, at) => (at === axis ? given : dim)) }];
    if (typeof start !== 'number' || typeof end !== 'number' || typeof size !== 'number' || start < 0 || end <= start || end > size) {
      throw shapeError('Slice', `an axis ${axis} that holds the positions from ${start} to before ${end}`, [input.shape]);
    }
    return [{ type: input.type, shape: input.shape.map((dim, at) => (at === axis ? end - start : dim)) }];
  },
  /** The gradient of what was left out is zero. */
  gradient({ builder, node, outputGradient }) {
    const input = inputAt('Slice', node.inputs, 0);
    const axis = normaliseAxis('Slice', numberAttribute(node.attributes, 'axis'), input.shape.length);
    const [start, end] = boundsOf(node.attributes);
    const [before, after] = [Number(start), Number(input.shape[axis]) - Number(end)];
    return [before === 0 && after === 0 ? outputGradient : builder.apply('Pad', [outputGradient], { axis, before, after })];
  },
  relate(node, relations) {
    const input = inputAt('Slice', node.inputs, 0);
    const result = inputAt('Slice', node.outputs, 0);
    const cut = normaliseAxis('Slice', numberAttribute(node.attributes, 'axis'), input.shape.length);
    input.shape.forEach((_, axis) => {
      if (axis !== cut) relations.same(input, axis, result, axis);
    });
    relations.mixed(input, cut, 'a slice counts its positions');
    relations.mixed(result, cut, 'a slice counts its positions');
  },
  lower(node, lowering) {
    const [start, end] = boundsOf(node.attributes);
    const axis = numberAttribute(node.attributes, 'axis');
    const inputs = [...namesOf(node.inputs), lowering.shape([start]), lowering.shape([end]), lowering.int64s([axis])];
    lowering.node({ op: 'Slice', inputs, outputs: namesOf(node.outputs) });
  },
};

function boundsOf(attributes: Attributes): readonly [start: Dim, end: Dim] {
  const [start = 0, end = 0] = dimsAttribute(attributes, 'bounds');
  return [start, end];
}

/** Pad: zeros before and after along one axis; the derivative of Slice, as Slice is its. */
export const padRule: OpRule = {
  op: 'Pad',
  infer(inputs, attributes) {
    const input = inputAt('Pad', inputs, 0);
    const axis = normaliseAxis('Pad', numberAttribute(attributes, 'axis'), input.shape.length);
    const size = input.shape[axis];
    if (typeof size !== 'number') throw shapeError('Pad', `an axis ${axis} of known size`, [input.shape]);
    const total = size + numberAttribute(attributes, 'before') + numberAttribute(attributes, 'after');
    return [{ type: input.type, shape: input.shape.map((dim, at) => (at === axis ? total : dim)) }];
  },
  gradient({ builder, node, outputGradient }) {
    const input = inputAt('Pad', node.inputs, 0);
    const axis = normaliseAxis('Pad', numberAttribute(node.attributes, 'axis'), input.shape.length);
    const start = numberAttribute(node.attributes, 'before');
    return [builder.slice(outputGradient, axis, start, start + Number(input.shape[axis]))];
  },
  relate(node, relations) {
    const input = inputAt('Pad', node.inputs, 0);
    const result = inputAt('Pad', node.outputs, 0);
    const padded = normaliseAxis('Pad', numberAttribute(node.attributes, 'axis'), input.shape.length);
    input.shape.forEach((_, axis) => {
      if (axis !== padded) relations.same(input, axis, result, axis);
    });
    relations.mixed(result, padded, 'padding counts its positions');
  },
  lower(node, lowering) {
    const input = inputAt('Pad', node.inputs, 0);
    const axis = normaliseAxis('Pad', numberAttribute(node.attributes, 'axis'), input.shape.length);
    const along = (amount: number): number[] => input.shape.map((_, at) => (at === axis ? amount : 0));
    const pads = lowering.int64s([
      ...along(numberAttribute(node.attributes, 'before')),
      ...along(numberAttribute(node.attributes, 'after')),
    ]);
    lowering.node({ op: 'Pad', inputs: [...namesOf(node.inputs), pads], outputs: namesOf(node.outputs) });
  },
};
