/** Cast: the same numbers in another floating-point type, rounded to nearest. For frozen values: no gradient is defined. */
import type { Attributes, ElementType } from '../graph';
import { int, namesOf, type OpRule } from '../op-rule';
import { onnxTypes } from '../onnx/schema';
import { inputAt } from '../shapes';

const FLOATS = ['float16', 'float32', 'float64'] as const satisfies readonly ElementType[];

function targetOf(attributes: Attributes): (typeof FLOATS)[number] {
  const target = FLOATS.find((type) => type === attributes.to);
  if (target === undefined) throw new TypeError(`Cast makes floating-point numbers, not ${String(attributes.to)}.`);
  return target;
}

export const castRule: OpRule = {
  op: 'Cast',
  infer: (inputs, attributes) => [{ type: targetOf(attributes), shape: inputAt('Cast', inputs, 0).shape }],
  lower(node, lowering) {
    const target = targetOf(node.attributes);
    const inputs = namesOf(node.inputs);
    const outputs = namesOf(node.outputs);
    if (inputAt('Cast', node.inputs, 0).type === target) lowering.node({ op: 'Identity', inputs, outputs });
    else lowering.node({ op: 'Cast', inputs, outputs, attributes: { to: int(onnxTypes[target]) } });
  },
};
