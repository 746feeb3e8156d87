/**
 * Rotary position embedding (Su et al., arXiv 2104.09864), halves rotated against each other as Hugging Face does:
 * inputs x [B, H, T, D], position of the first token [1] (int64), cosines and sines [P, D/2].
 */
import { namesOf, perElement, type OpRule } from '../op-rule';
import { inputAt, shapeError } from '../shapes';

export const rotaryEmbeddingRule: OpRule = {
  op: 'RotaryEmbedding',
  infer(inputs) {
    const input = inputAt('RotaryEmbedding', inputs, 0);
    const cosines = inputAt('RotaryEmbedding', inputs, 2);
    const width = input.shape.at(-1);
    if (input.shape.length !== 4 || typeof width !== 'number' || cosines.shape.at(-1) !== width / 2) {
      throw shapeError('RotaryEmbedding', '[B, H, T, D] and tables [P, D/2]', [input.shape, cosines.shape]);
    }
    return [{ type: input.type, shape: input.shape }];
  },
  /** A rotation's derivative is the rotation back: the same operator with the sines negated. */
  gradient({ builder, node, outputGradient }) {
    const position = inputAt('RotaryEmbedding', node.inputs, 1);
    const cosines = inputAt('RotaryEmbedding', node.inputs, 2);
    const sines = inputAt('RotaryEmbedding', node.inputs, 3);
    return [builder.apply('RotaryEmbedding', [outputGradient, position, cosines, builder.negate(sines)]), null, null, null];
  },
  relate(node, relations) {
    const input = inputAt('RotaryEmbedding', node.inputs, 0);
    const result = inputAt('RotaryEmbedding', node.outputs, 0);
    input.shape.forEach((_, axis) => relations.same(input, axis, result, axis));
    relations.mixed(result, result.shape.length - 1, 'a rotation pairs its positions');
  },
  /** Two products and a sum for each element. */
  cost: perElement(3),
  lower(node, lowering) {
    lowering.node({
      op: 'RotaryEmbedding',
      domain: 'com.microsoft',
      inputs: namesOf(node.inputs),
      outputs: namesOf(node.outputs),
    });
  },
};
