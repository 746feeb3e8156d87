/**
 * IQ4_NL and IQ4_XS: four bits that choose one of sixteen unevenly spaced levels (ggml-common.h, kvalues_iq4nl,
 * block_iq4_nl, block_iq4_xs). Only read.
 */
import { float16Value } from '../../../tensors/half';
import type { BlockLayout } from '../../stored-tensor';
import { SUPER_BLOCK } from './block-form';

const LEVELS = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
const GROUP = 32;
const HALF = 16;

/** 32 elements from 16 bytes: low halves first, high halves after. */
function decodeGroup(bytes: Uint8Array, from: number, scale: number, target: Float32Array, at: number): void {
  for (let index = 0; index < HALF; index++) {
    const pair = bytes[from + index] as number;
    target[at + index] = scale * (LEVELS[pair & 15] as number);
    target[at + HALF + index] = scale * (LEVELS[pair >> 4] as number);
  }
}

const NL_BYTES = 2 + HALF;

/** A 16-bit scale and one group. */
export const IQ4_NL: BlockLayout = {
  blockElements: GROUP,
  blockBytes: NL_BYTES,
  decode(bytes, target, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let block = 0, out = at; block < bytes.length; block += NL_BYTES, out += GROUP) {
      decodeGroup(bytes, block + 2, float16Value(view.getUint16(block, true)), target, out);
    }
  },
};

const GROUPS = SUPER_BLOCK / GROUP;
const XS_BYTES = 2 + 2 + GROUPS / 2 + SUPER_BLOCK / 2;

/** A 16-bit scale, eight 6-bit scales (two high bits each in 16 bits, then four low bits each), eight groups. */
export const IQ4_XS: BlockLayout = {
  blockElements: SUPER_BLOCK,
  blockBytes: XS_BYTES,
  decode(bytes, target, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let block = 0, out = at; block < bytes.length; block += XS_BYTES) {
      const scale = float16Value(view.getUint16(block, true));
      const highs = view.getUint16(block + 2, true);
      for (let group = 0; group < GROUPS; group++, out += GROUP) {
        const low = ((bytes[block + 4 + (group >> 1)] as number) >> ((group & 1) * 4)) & 15;
        const level = (low | (((highs >> (group * 2)) & 3) << 4)) - 32;
        decodeGroup(bytes, block + 4 + GROUPS / 2 + group * HALF, scale * level, target, out);
      }
    }
  },
};
