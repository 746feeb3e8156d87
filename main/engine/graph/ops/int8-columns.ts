/** Int8Columns: a matrix [K, N] in 8 bits, each column by its largest magnitude; results are the numbers and a scale per column [N]. */
import { multiplyDims } from '../dims';
import { int, namesOf, type OpRule } from '../op-rule';
import { inputAt, shapeError } from '../shapes';
import { INT8_LARGEST, SMALLEST_MAGNITUDE } from './int8-product';

export const int8ColumnsRule: OpRule = {
  op: 'Int8Columns',
  infer(inputs) {
    const { type, shape } = inputAt('Int8Columns', inputs, 0);
    const [, columns] = shape;
    if (columns === undefined || shape.length !== 2) throw shapeError('Int8Columns', 'a matrix', [shape]);
    return [{ type: 'int8', shape }, { type, shape: [columns] }];
  },
  // Magnitude, largest, quotient, rounding.
  cost: ({ inputs }) => [multiplyDims(4, ...inputAt('Int8Columns', inputs, 0).shape)],
  scratch: ({ inputs }) => [{ type: 'float32', shape: inputAt('Int8Columns', inputs, 0).shape }],
  lower(node, lowering) {
    const [input = ''] = namesOf(node.inputs);
    const [values = '', scales = ''] = namesOf(node.outputs);
    const step = (op: string, inputs: readonly string[], output = lowering.fresh()): string => {
      const attributes = op === 'ReduceMax' ? { keepdims: int(0) } : {};
      lowering.node({ op, inputs, outputs: [output], attributes });
      return output;
    };
    const largest = step('ReduceMax', [step('Abs', [input]), lowering.int64s([0])]);
    const padded = step('Add', [largest, lowering.scalar('float32', SMALLEST_MAGNITUDE)]);
    step('Mul', [padded, lowering.scalar('float32', 1 / INT8_LARGEST)], scales);
    // By a quotient and not by scales of its own: the runtime is slow where scales vary along the last axis.
    step('QuantizeLinear', [step('Div', [input, scales]), lowering.scalar('float32', 1), lowering.scalar('int8', 0)], values);
  },
};
