/**
 * Concat of tensors along an axis. The size of the result along it is given as an attribute, since the sum of two
 * symbols is no dimension of ours.
 */
import type { Value } from '../graph';
import { dimsAttribute, int, namesOf, numberAttribute, type OpRule } from '../op-rule';
import { inputAt, normaliseAxis, shapeError } from '../shapes';

export const concatRule: OpRule = {
  op: 'Concat',
  infer(inputs, attributes) {
    const first = inputAt('Concat', inputs, 0);
    const axis = normaliseAxis('Concat', numberAttribute(attributes, 'axis'), first.shape.length);
    const [total = 0] = dimsAttribute(attributes, 'total');
    const fits = (other: Value): boolean =>
      first.shape.length === other.shape.length && first.shape.every((dim, at) => at === axis || dim === other.shape[at]);
    if (!inputs.every(fits)) throw shapeError('Concat', `equal sizes beside axis ${axis}`, inputs.map((input) => input.shape));
    return [{ type: first.type, shape: first.shape.map((dim, at) => (at === axis ? total : dim)) }];
  },
  /** Each input gets its own part; their sizes along the axis must be known. */
  gradient({ builder, node, outputGradient, wants }) {
    const axis = normaliseAxis('Concat', numberAttribute(node.attributes, 'axis'), outputGradient.shape.length);
    let start = 0;
    return node.inputs.map((input, index) => {
      const from = start;
      start += Number(input.shape[axis]);
      return wants(index) ? builder.slice(outputGradient, axis, from, start) : null;
    });
  },
  relate(node, relations) {
    const result = inputAt('Concat', node.outputs, 0);
    const joined = normaliseAxis('Concat', numberAttribute(node.attributes, 'axis'), result.shape.length);
    for (const input of node.inputs) {
      input.shape.forEach((_, axis) => {
        if (axis === joined) relations.mixed(input, axis, 'it is joined to other positions');
        else relations.same(input, axis, result, axis);
      });
    }
    relations.mixed(result, joined, 'it is joined from two tensors');
  },
  lower(node, lowering) {
    lowering.node({
      op: 'Concat',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
      attributes: { axis: int(numberAttribute(node.attributes, 'axis')) },
    });
  },
};
