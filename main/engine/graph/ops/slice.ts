/** Slice: the positions start..end-1 of one axis; sizes are known when the graph is made, but for the other axes. */
import { namesOf, numberAttribute, type OpRule } from '../op-rule';
import { inputAt, normaliseAxis, shapeError } from '../shapes';

export const sliceRule: OpRule = {
  op: 'Slice',
  infer(inputs, attributes) {
    const input = inputAt('Slice', inputs, 0);
    const axis = normaliseAxis('Slice', numberAttribute(attributes, 'axis'), input.shape.length);
    const [start, end, size] = [numberAttribute(attributes, 'start'), numberAttribute(attributes, 'end'), input.shape[axis]];
    if (start < 0 || end <= start || typeof size !== 'number' || end > size) {
      throw shapeError('Slice', `an axis ${axis} that holds positions ${start} to ${end - 1}`, [input.shape]);
    }
    return [{ type: input.type, shape: input.shape.map((dim, at) => (at === axis ? end - start : dim)) }];
  },
  /** The gradient of what was left out is zero. */
  gradient({ builder, node, outputGradient }) {
    const input = inputAt('Slice', node.inputs, 0);
    const axis = normaliseAxis('Slice', numberAttribute(node.attributes, 'axis'), input.shape.length);
    const before = numberAttribute(node.attributes, 'start');
    const after = Number(input.shape[axis]) - numberAttribute(node.attributes, 'end');
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
    const [axis, start, end] = ['axis', 'start', 'end'].map((name) => lowering.int64s([numberAttribute(node.attributes, name)]));
    const inputs = [...namesOf(node.inputs), ...[start, end, axis].map((name) => name ?? '')];
    lowering.node({ op: 'Slice', inputs, outputs: namesOf(node.outputs) });
  },
};

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
