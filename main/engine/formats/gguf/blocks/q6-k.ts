/**
 * Q6_K: super-blocks of 256 elements in sixteen groups of 16, each with a signed 8-bit scale whose unit is a 16-bit number
 * (ggml-common.h, block_q6_K). Levels lie around zero, from -32 to 31.
 */
import { float16Value } from '../../../tensors/half';
import { SUPER_BLOCK, nearestFloat16Bits, type WrittenBlocks } from './block-form';
import { fitScale, takeGroup, type Trials } from './scale-search';

const GROUP = 16;
const GROUPS = SUPER_BLOCK / GROUP;
const MIDDLE = 32;
const TOP = 2 * MIDDLE - 1;
const HIGH_AT = SUPER_BLOCK / 2;
const SCALES_AT = HIGH_AT + SUPER_BLOCK / 4;
const UNIT_AT = SCALES_AT + GROUPS;
const BLOCK_BYTES = UNIT_AT + 2;
/** Half a super-block: 64 bytes of low halves, 32 bytes of high bit pairs. */
const PART = 128;
const RUN = 32;
const TRIALS: Trials = { least: MIDDLE - 1, most: MIDDLE + 1.01, step: 0.2 };

/** Six bits around zero: unit * scale * (level - 32). */
export const Q6_K: WrittenBlocks = {
  blockElements: SUPER_BLOCK,
  blockBytes: BLOCK_BYTES,
  decode(bytes, target, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let block = 0, out = at; block < bytes.length; block += BLOCK_BYTES) {
      const unit = float16Value(view.getUint16(block + UNIT_AT, true));
      for (let group = 0; group < GROUPS; group++) {
        const scale = unit * view.getInt8(block + SCALES_AT + group);
        const first = group * GROUP;
        const run = (first % PART) >> 5;
        const low = block + (first >= PART ? 64 : 0) + (run & 1) * RUN + (first % RUN);
        const high = block + HIGH_AT + (first >= PART ? RUN : 0) + (first % RUN);
        const lowShift = (run >> 1) * 4;
        const highShift = run * 2;
        for (let index = 0; index < GROUP; index++) {
          const level = (((bytes[low + index] as number) >> lowShift) & 15) | ((((bytes[high + index] as number) >> highShift) & 3) << 4);
          target[out++] = scale * (level - MIDDLE);
        }
      }
    }
  },
  encode(values, bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const weights = new Float64Array(GROUP);
    const taken = new Float64Array(GROUP);
    const found = new Float64Array(GROUPS);
    bytes.fill(0);
    for (let at = 0, block = 0; at < values.length; at += SUPER_BLOCK, block += BLOCK_BYTES) {
      let extreme = 0;
      for (let group = 0; group < GROUPS; group++) {
        takeGroup(values, at + group * GROUP, taken);
        for (let index = 0; index < GROUP; index++) weights[index] = (taken[index] as number) ** 2;
        const scale = fitScale(taken, weights, MIDDLE, TRIALS);
        found[group] = scale;
        if (Math.abs(scale) > Math.abs(extreme)) extreme = scale;
      }
      // The scale of the largest magnitude takes -128, the level that only one sign has.
      const unitBits = nearestFloat16Bits(extreme / -128);
      view.setUint16(block + UNIT_AT, unitBits, true);
      const unit = float16Value(unitBits);
      for (let group = 0; group < GROUPS; group++) {
        const steps = unit === 0 ? 0 : Math.max(-128, Math.min(127, Math.round((found[group] as number) / unit)));
        view.setInt8(block + SCALES_AT + group, steps);
        const scale = unit * steps;
        const perUnit = scale === 0 ? 0 : 1 / scale;
        const first = group * GROUP;
        const run = (first % PART) >> 5;
        const low = block + (first >= PART ? 64 : 0) + (run & 1) * RUN + (first % RUN);
        const high = block + HIGH_AT + (first >= PART ? RUN : 0) + (first % RUN);
        const lowShift = (run >> 1) * 4;
        const highShift = run * 2;
        for (let index = 0; index < GROUP; index++) {
          let level = Math.floor((values[at + first + index] as number) * perUnit + MIDDLE + 0.5);
          level = level > TOP ? TOP : level > 0 ? level : 0;
          bytes[low + index] = (bytes[low + index] as number) | ((level & 15) << lowShift);
          bytes[high + index] = (bytes[high + index] as number) | ((level >> 4) << highShift);
        }
      }
    }
  },
};
