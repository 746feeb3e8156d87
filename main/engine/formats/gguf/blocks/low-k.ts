/** Q2_K and Q3_K: super-blocks of 256 elements in sixteen groups of 16 (ggml-common.h, block_q2_K, block_q3_K). Only read. */
import { float16Value } from '../../../tensors/half';
import type { BlockLayout } from '../../stored-tensor';
import { SUPER_BLOCK } from './block-form';

const GROUP = 16;
const GROUPS = SUPER_BLOCK / GROUP;
/** Two-bit levels: 32 bytes hold 128 elements, whose bits lie at shift 0, 2, 4, 6 for each 32 of them in turn. */
const RUN = 32;
const HALF = 128;
const Q2_BYTES = GROUPS + SUPER_BLOCK / 4 + 4;

/** Bytes with a 4-bit scale and a 4-bit minimum for each group, the levels, and the 16-bit units of both. */
export const Q2_K: BlockLayout = {
  blockElements: SUPER_BLOCK,
  blockBytes: Q2_BYTES,
  decode(bytes, target, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let block = 0, out = at; block < bytes.length; block += Q2_BYTES) {
      const unit = float16Value(view.getUint16(block + Q2_BYTES - 4, true));
      const minimumUnit = float16Value(view.getUint16(block + Q2_BYTES - 2, true));
      for (let group = 0; group < GROUPS; group++) {
        const packed = bytes[block + group] as number;
        const scale = unit * (packed & 15);
        const minimum = minimumUnit * (packed >> 4);
        const { from, shift } = placeOf(group);
        const levels = block + GROUPS + from;
        for (let index = 0; index < GROUP; index++) {
          target[out++] = scale * (((bytes[levels + index] as number) >> shift) & 3) - minimum;
        }
      }
    }
  },
};

const Q3_BYTES = SUPER_BLOCK / 8 + SUPER_BLOCK / 4 + 12 + 2;

/** A third bit for each element (set means: no 4 subtracted), two-bit levels, sixteen 6-bit scales, their 16-bit unit. */
export const Q3_K: BlockLayout = {
  blockElements: SUPER_BLOCK,
  blockBytes: Q3_BYTES,
  decode(bytes, target, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let block = 0, out = at; block < bytes.length; block += Q3_BYTES) {
      const unit = float16Value(view.getUint16(block + Q3_BYTES - 2, true));
      const scales = block + Q3_BYTES - 14;
      for (let group = 0; group < GROUPS; group++) {
        const low = ((bytes[scales + (group & 7)] as number) >> ((group >> 3) * 4)) & 15;
        const high = ((bytes[scales + 8 + (group & 3)] as number) >> ((group >> 2) * 2)) & 3;
        const scale = unit * ((low | (high << 4)) - 32);
        const { from, shift } = placeOf(group);
        const levels = block + SUPER_BLOCK / 8 + from;
        const thirds = block + (group & 1) * GROUP;
        const third = group >> 1;
        for (let index = 0; index < GROUP; index++) {
          const level = ((bytes[levels + index] as number) >> shift) & 3;
          const isKept = ((bytes[thirds + index] as number) >> third) & 1;
          target[out++] = scale * (level - (isKept === 1 ? 0 : 4));
        }
      }
    }
  },
};

/** Where the two-bit levels of a group lie. */
function placeOf(group: number): { readonly from: number; readonly shift: number } {
  const first = group * GROUP;
  return { from: (first >> 7) * RUN + (first & GROUP), shift: ((first & (HALF - 1)) >> 5) * 2 };
}
