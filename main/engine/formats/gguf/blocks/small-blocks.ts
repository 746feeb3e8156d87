/**
 * Blocks of 32 elements in 4 or 5 bits, with one 16-bit scale and perhaps a minimum: Q4_0, Q4_1, Q5_0, Q5_1. One
 * description serves all four. A byte holds the low four bits of element i (low half) and of element i + 16 (high half);
 * the fifth bits lie apart, bit i for element i (ggml-common.h, block_q4_0 to block_q5_1).
 */
import { float16Value } from '../../../tensors/half';
import { nearestFloat16Bits, type WrittenBlocks } from './block-form';
import { fitScale, fitScaleAndMinimum, takeGroup, type Fit, type Trials } from './scale-search';

const ELEMENTS = 32;
const HALF = 16;

interface SmallForm {
  readonly bits: 4 | 5;
  /** Whether a minimum is stored; without it levels lie around zero. */
  readonly hasMinimum: boolean;
}

function smallBlocks({ bits, hasMinimum }: SmallForm): WrittenBlocks {
  const highAt = hasMinimum ? 4 : 2;
  const lowAt = highAt + (bits === 5 ? 4 : 0);
  const blockBytes = lowAt + HALF;
  const middle = hasMinimum ? 0 : 2 ** (bits - 1);
  const top = 2 ** bits - 1;
  // Spacings below and above the one that just covers the range: a little clipping often costs less than a wide spacing.
  const trials: Trials = hasMinimum ? { least: top - 1, most: top + 1.01, step: 0.25 } : { least: middle - 1, most: middle + 1.01, step: 0.25 };
  return {
    blockElements: ELEMENTS,
    blockBytes,
    decode(bytes, target, at) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let out = at;
      for (let block = 0; block < bytes.length; block += blockBytes) {
        const scale = float16Value(view.getUint16(block, true));
        // Adding -0 changes nothing, not even the sign of zero.
        const minimum = hasMinimum ? float16Value(view.getUint16(block + 2, true)) : -0;
        if (bits === 4) {
          // Apart from five bits, and four bytes at a time: without their shifts, and with fewer reads, it takes about half the time.
          for (let from = block + lowAt; from < block + blockBytes; from += 4) {
            const word = view.getUint32(from, true);
            target[out] = scale * ((word & 15) - middle) + minimum;
            target[out + HALF] = scale * (((word >>> 4) & 15) - middle) + minimum;
            target[out + 1] = scale * (((word >>> 8) & 15) - middle) + minimum;
            target[out + HALF + 1] = scale * (((word >>> 12) & 15) - middle) + minimum;
            target[out + 2] = scale * (((word >>> 16) & 15) - middle) + minimum;
            target[out + HALF + 2] = scale * (((word >>> 20) & 15) - middle) + minimum;
            target[out + 3] = scale * (((word >>> 24) & 15) - middle) + minimum;
            target[out + HALF + 3] = scale * ((word >>> 28) - middle) + minimum;
            out += 4;
          }
          out += HALF;
          continue;
        }
        const high = view.getUint32(block + highAt, true);
        for (let index = 0; index < HALF; index++) {
          const pair = bytes[block + lowAt + index] as number;
          const low = (pair & 15) | (((high >>> index) & 1) << 4);
          const up = (pair >> 4) | (((high >>> (index + HALF)) & 1) << 4);
          target[out + index] = scale * (low - middle) + minimum;
          target[out + HALF + index] = scale * (up - middle) + minimum;
        }
        out += ELEMENTS;
      }
    },
    encode(values, bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const weights = new Float64Array(ELEMENTS).fill(1);
      const group = new Float64Array(ELEMENTS);
      const fit: Fit = { scale: 0, minimum: 0 };
      for (let at = 0, block = 0; at < values.length; at += ELEMENTS, block += blockBytes) {
        takeGroup(values, at, group);
        if (hasMinimum) fitScaleAndMinimum(group, weights, top, trials, false, fit);
        else fit.scale = fitScale(group, weights, middle, trials);
        const scaleBits = nearestFloat16Bits(fit.scale);
        view.setUint16(block, scaleBits, true);
        const scale = float16Value(scaleBits);
        let start = -scale * middle;
        if (hasMinimum) {
          const minimumBits = nearestFloat16Bits(fit.minimum);
          view.setUint16(block + 2, minimumBits, true);
          start = float16Value(minimumBits);
        }
        // Levels are chosen for the scale as it is stored, not as it was found.
        const perUnit = scale === 0 ? 0 : 1 / scale;
        let high = 0;
        for (let index = 0; index < HALF; index++) {
          const low = levelOf((group[index] as number) - start, perUnit, top);
          const up = levelOf((group[HALF + index] as number) - start, perUnit, top);
          bytes[block + lowAt + index] = (low & 15) | ((up & 15) << 4);
          high |= ((low >> 4) << index) | ((up >> 4) << (index + HALF));
        }
        if (bits === 5) view.setUint32(block + highAt, high >>> 0, true);
      }
    },
  };
}

function levelOf(distance: number, perUnit: number, top: number): number {
  const level = Math.floor(distance * perUnit + 0.5);
  return level > top ? top : level > 0 ? level : 0;
}

/** Four bits around zero: scale * (level - 8). */
export const Q4_0 = smallBlocks({ bits: 4, hasMinimum: false });
/** Four bits from a minimum: scale * level + minimum. */
export const Q4_1 = smallBlocks({ bits: 4, hasMinimum: true });
/** Five bits around zero: scale * (level - 16). */
export const Q5_0 = smallBlocks({ bits: 5, hasMinimum: false });
/** Five bits from a minimum: scale * level + minimum. */
export const Q5_1 = smallBlocks({ bits: 5, hasMinimum: true });
