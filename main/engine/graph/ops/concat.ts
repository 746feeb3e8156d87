/**
 * Concat of two tensors along an axis. The size of the result along it is given as an attribute, since the sum of two
 * symbols is no dimension of ours. Serves the key/value cache; no gradient flows through it.
 */
import { dimsAttribute, int, namesOf, numberAttribute, type OpRule } from '../op-rule';
import { inputAt, normaliseAxis, shapeError } from '../shapes';

export const concatRule: OpRule = {
  op: 'Concat',
  infer(inputs, attributes) {
    const left = inputAt('Concat', inputs, 0);
    const right = inputAt('Concat', inputs, 1);
    const axis = normaliseAxis('Concat', numberAttribute(attributes, 'axis'), left.shape.length);
    const [total = 0] = dimsAttribute(attributes, 'total');
    const fits = left.shape.length === right.shape.length && left.shape.every((dim, at) => at === axis || dim === right.shape[at]);
    if (!fits) throw shapeError('Concat', `equal sizes beside axis ${axis}`, [left.shape, right.shape]);
    return [{ type: left.type, shape: left.shape.map((dim, at) => (at === axis ? total : dim)) }];
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
