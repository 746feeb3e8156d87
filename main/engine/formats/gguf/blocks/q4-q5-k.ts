/**
 * Q4_K and Q5_K: super-blocks of 256 elements in eight groups of 32. Each group has a 6-bit scale and a 6-bit minimum that
 * is subtracted; their units are two 16-bit numbers (ggml-common.h, block_q4_K, block_q5_K).
 */
import { float16Value } from '../../../tensors/half';
import { SUPER_BLOCK, nearestFloat16Bits, type WrittenBlocks } from './block-form';
import { fitScaleAndMinimum, takeGroup, type Fit, type Trials } from './scale-search';

const GROUP = 32;
const GROUPS = SUPER_BLOCK / GROUP;
const SCALES_AT = 4;
const SCALE_BYTES = 12;
const HIGH_AT = SCALES_AT + SCALE_BYTES;
const TOP_SCALE = 63;

/**
 * Twelve bytes hold eight scales and eight minimums of 6 bits: those of groups 0-3 in bytes 0-3 and 4-7; of groups 4-7 the
 * low four bits in bytes 8-11, the two high bits on top of the bytes of groups 0-3.
 */
function unpackScales(bytes: Uint8Array, at: number, scales: Uint8Array, minimums: Uint8Array): void {
  for (let group = 0; group < 4; group++) {
    const first = bytes[at + group] as number;
    const second = bytes[at + 4 + group] as number;
    const lows = bytes[at + 8 + group] as number;
    scales[group] = first & 63;
    minimums[group] = second & 63;
    scales[group + 4] = (lows & 15) | ((first >> 6) << 4);
    minimums[group + 4] = (lows >> 4) | ((second >> 6) << 4);
  }
}

function packScales(scales: Uint8Array, minimums: Uint8Array, bytes: Uint8Array, at: number): void {
  for (let group = 0; group < 4; group++) {
    const scale = scales[group + 4] as number;
    const minimum = minimums[group + 4] as number;
    bytes[at + group] = (scales[group] as number) | ((scale >> 4) << 6);
    bytes[at + 4 + group] = (minimums[group] as number) | ((minimum >> 4) << 6);
    bytes[at + 8 + group] = (scale & 15) | ((minimum & 15) << 4);
  }
}

interface MiddleForm {
  readonly bits: 4 | 5;
  readonly trials: Trials;
}

function middleBlocks({ bits, trials }: MiddleForm): WrittenBlocks {
  const lowAt = HIGH_AT + (bits === 5 ? GROUP : 0);
  const blockBytes = lowAt + SUPER_BLOCK / 2;
  const top = 2 ** bits - 1;
  return {
    blockElements: SUPER_BLOCK,
    blockBytes,
    decode(bytes, target, at) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const scales = new Uint8Array(GROUPS);
      const minimums = new Uint8Array(GROUPS);
      for (let block = 0, out = at; block < bytes.length; block += blockBytes) {
        const unit = float16Value(view.getUint16(block, true));
        const minimumUnit = float16Value(view.getUint16(block + 2, true));
        unpackScales(bytes, block + SCALES_AT, scales, minimums);
        for (let group = 0; group < GROUPS; group++) {
          const scale = unit * (scales[group] as number);
          const minimum = minimumUnit * (minimums[group] as number);
          const levels = block + lowAt + (group >> 1) * GROUP;
          const shift = (group & 1) * 4;
          for (let index = 0; index < GROUP; index++) {
            const low = ((bytes[levels + index] as number) >> shift) & 15;
            const fifth = bits === 5 ? (((bytes[block + HIGH_AT + index] as number) >> group) & 1) << 4 : 0;
            target[out++] = scale * (low | fifth) - minimum;
          }
        }
      }
    },
    encode(values, bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const taken = Array.from({ length: GROUPS }, () => new Float64Array(GROUP));
      const weights = Array.from({ length: GROUPS }, () => new Float64Array(GROUP));
      const found = new Float64Array(GROUPS);
      const foundMinimums = new Float64Array(GROUPS);
      const scales = new Uint8Array(GROUPS);
      const minimums = new Uint8Array(GROUPS);
      const fit: Fit = { scale: 0, minimum: 0 };
      for (let at = 0, block = 0; at < values.length; at += SUPER_BLOCK, block += blockBytes) {
        let largest = 0;
        let largestMinimum = 0;
        for (const [group, its] of taken.entries()) {
          const weighed = weights[group] ?? its;
          takeGroup(values, at + group * GROUP, its);
          weigh(its, weighed);
          fitScaleAndMinimum(its, weighed, top, trials, true, fit);
          found[group] = fit.scale;
          foundMinimums[group] = -fit.minimum;
          largest = Math.max(largest, fit.scale);
          largestMinimum = Math.max(largestMinimum, -fit.minimum);
        }
        const unitBits = nearestFloat16Bits(largest / TOP_SCALE);
        const minimumUnitBits = nearestFloat16Bits(largestMinimum / TOP_SCALE);
        const unit = float16Value(unitBits);
        const minimumUnit = float16Value(minimumUnitBits);
        for (const [group, its] of taken.entries()) {
          const weighed = weights[group] ?? its;
          const scale = unit === 0 ? 0 : Math.min(TOP_SCALE, (found[group] as number) / unit);
          const minimum = minimumUnit === 0 ? 0 : Math.min(TOP_SCALE, (foundMinimums[group] as number) / minimumUnit);
          // Six bits are coarse, and an error of the scale can make good one of the minimum: the neighbours are tried in pairs.
          let best = Number.POSITIVE_INFINITY;
          for (let steps = Math.floor(scale); steps <= Math.ceil(scale); steps++) {
            for (let down = Math.floor(minimum); down <= Math.ceil(minimum); down++) {
              const error = weightedError(its, weighed, unit * steps, minimumUnit * down, top);
              if (error >= best) continue;
              best = error;
              scales[group] = steps;
              minimums[group] = down;
            }
          }
        }
        view.setUint16(block, unitBits, true);
        view.setUint16(block + 2, minimumUnitBits, true);
        packScales(scales, minimums, bytes, block + SCALES_AT);
        bytes.fill(0, block + HIGH_AT, block + blockBytes);
        for (let group = 0; group < GROUPS; group++) {
          const scale = unit * (scales[group] as number);
          const minimum = minimumUnit * (minimums[group] as number);
          const perUnit = scale === 0 ? 0 : 1 / scale;
          const levels = block + lowAt + (group >> 1) * GROUP;
          const shift = (group & 1) * 4;
          for (let index = 0; index < GROUP; index++) {
            let level = Math.floor(((values[at + group * GROUP + index] as number) + minimum) * perUnit + 0.5);
            level = level > top ? top : level > 0 ? level : 0;
            bytes[levels + index] = (bytes[levels + index] as number) | ((level & 15) << shift);
            if (bits === 5) bytes[block + HIGH_AT + index] = (bytes[block + HIGH_AT + index] as number) | ((level >> 4) << group);
          }
        }
      }
    },
  };
}

/** Large weights matter more to the result, since they meet the same activations as small ones. */
function weigh(values: Float64Array, weights: Float64Array): void {
  let squares = 0;
  for (let index = 0; index < GROUP; index++) squares += (values[index] as number) ** 2;
  const typical = Math.sqrt(squares / GROUP);
  for (let index = 0; index < GROUP; index++) weights[index] = typical + Math.abs(values[index] as number);
}

function weightedError(values: Float64Array, weights: Float64Array, scale: number, minimum: number, top: number): number {
  const perUnit = scale === 0 ? 0 : 1 / scale;
  let error = 0;
  for (let index = 0; index < GROUP; index++) {
    const value = (values[index] as number) + minimum;
    let level = (value * perUnit + 0.5) | 0;
    if (level > top) level = top;
    else if (level < 0) level = 0;
    const off = value - scale * level;
    error += (weights[index] as number) * off * off;
  }
  return error;
}

/** Four bits: unit * scale * level - minimumUnit * minimum. */
export const Q4_K = middleBlocks({ bits: 4, trials: { least: 14, most: 16.01, step: 0.2 } });
/** Five bits, as Q4_K. */
export const Q5_K = middleBlocks({ bits: 5, trials: { least: 30, most: 32.01, step: 0.25 } });
