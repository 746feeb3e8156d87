/**
 * Int8Product: X [M, K] times a matrix [K, N] that is given in 8 bits with a scale for each column. The rows of X are
 * quantised on the way, each by its own largest number, so that one large row costs the others nothing.
 */
import { multiplyDims } from '../dims';
import { namesOf, type OpRule } from '../op-rule';
import { inputAt, shapeError } from '../shapes';

/** Largest magnitude of an 8-bit number that is used; the range is symmetric. */
export const INT8_LARGEST = 127;
/** What stands for 0 in the unsigned form in which the rows of X are multiplied. */
const ZERO_POINT = 128;
/** Added to a largest magnitude, so that zeros alone are divided by something. */
export const SMALLEST_MAGNITUDE = 1e-30;

export const int8ProductRule: OpRule = {
  op: 'Int8Product',
  infer(inputs) {
    const left = inputAt('Int8Product', inputs, 0);
    const right = inputAt('Int8Product', inputs, 1);
    const scales = inputAt('Int8Product', inputs, 2);
    const [rows, inner] = left.shape;
    const [innerRight, columns] = right.shape;
    const fits = left.shape.length === 2 && right.shape.length === 2 && scales.shape.length === 1;
    if (!fits || rows === undefined || columns === undefined || inner !== innerRight || scales.shape[0] !== columns) {
      throw shapeError('Int8Product', '[M, K], [K, N] and [N]', [left.shape, right.shape, scales.shape]);
    }
    return [{ type: left.type, shape: [rows, columns] }];
  },
  cost(node) {
    const left = inputAt('Int8Product', node.inputs, 0);
    const [rows, columns] = inputAt('Int8Product', node.outputs, 0).shape;
    // Magnitude, largest, quotient, rounding; the product; its two scales.
    return [multiplyDims(4, ...left.shape), multiplyDims(2, ...left.shape, columns ?? 1), multiplyDims(2, rows ?? 1, columns ?? 1)];
  },
  scratch(node) {
    const { shape } = inputAt('Int8Product', node.inputs, 0);
    return [{ type: 'float32', shape }, { type: 'int8', shape }];
  },
  lower(node, lowering) {
    const [left = '', right = '', scales = ''] = namesOf(node.inputs);
    const one = lowering.scalar('float32', 1);
    const zero = lowering.scalar('uint8', ZERO_POINT);
    const step = (op: string, inputs: readonly string[], domain = ''): string => {
      const output = lowering.fresh();
      lowering.node({ op, inputs, outputs: [output], domain });
      return output;
    };
    const largest = step('ReduceMax', [step('Abs', [left]), lowering.int64s([1])]);
    const padded = step('Add', [largest, lowering.scalar('float32', SMALLEST_MAGNITUDE)]);
    const rowScale = step('Mul', [padded, lowering.scalar('float32', 1 / INT8_LARGEST)]);
    const rows = step('QuantizeLinear', [step('Div', [left, rowScale]), one, zero]);
    const product = step('MatMulIntegerToFloat', [rows, right, one, scales, zero], 'com.microsoft');
    lowering.node({ op: 'Mul', inputs: [product, rowScale], outputs: namesOf(node.outputs) });
  },
};
