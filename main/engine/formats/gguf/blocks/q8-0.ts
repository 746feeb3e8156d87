/** Q8_0: blocks of 32 signed bytes with one 16-bit scale (ggml-common.h, block_q8_0). */
import { float16Value } from '../../../tensors/half';
import { nearestFloat16Bits, type WrittenBlocks } from './block-form';

const ELEMENTS = 32;
const BYTES = 34;
const TOP = 127;

/** Signed bytes: scale * level. */
export const Q8_0: WrittenBlocks = {
  blockElements: ELEMENTS,
  blockBytes: BYTES,
  decode(bytes, target, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let out = at;
    for (let block = 0; block < bytes.length; block += BYTES) {
      const scale = float16Value(view.getUint16(block, true));
      for (let index = 2; index < BYTES; index++) target[out++] = scale * view.getInt8(block + index);
    }
  },
  /** At 8 bits clipping never pays, so the largest magnitude takes the last level and no search is needed. */
  encode(values, bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0, block = 0; at < values.length; at += ELEMENTS, block += BYTES) {
      let extreme = 0;
      for (let index = 0; index < ELEMENTS; index++) extreme = Math.max(extreme, Math.abs(values[at + index] as number));
      const scaleBits = nearestFloat16Bits(extreme / TOP);
      view.setUint16(block, scaleBits, true);
      const scale = float16Value(scaleBits);
      const perUnit = scale === 0 ? 0 : 1 / scale;
      for (let index = 0; index < ELEMENTS; index++) {
        const level = Math.floor((values[at + index] as number) * perUnit + 0.5);
        view.setInt8(block + 2 + index, level > TOP ? TOP : level < -TOP ? -TOP : level);
      }
    }
  },
};
