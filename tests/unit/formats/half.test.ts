import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from '../../../main/engine/tensors/half';
import * as v from 'valibot';

const golden = v.parse(
  v.object({
    rounding: v.object({ float32: v.string(), float16: v.string(), bfloat16: v.string() }),
  }),
  JSON.parse(readFileSync(new URL('../../golden/data/gguf-blocks.json', import.meta.url), 'utf8')),
);

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

describe('16-bit floats', () => {
  const source = new Float32Array(bytes(golden.rounding.float32).buffer);

  it('are rounded as numpy rounds float16, to the bit', () => {
    const expected = new Uint16Array(bytes(golden.rounding.float16).buffer);
    const found = new Uint16Array(source.length);
    encodeFloat16(source, found);
    const isNan = (bits: number): boolean => (bits & 0x7fff) > 0x7c00;
    expect(Array.from(found, (bits) => (isNan(bits) ? -1 : bits))).toEqual(Array.from(expected, (bits) => (isNan(bits) ? -1 : bits)));
  });

  it('are rounded as the gguf package rounds bfloat16, to the bit', () => {
    const expected = new Uint16Array(bytes(golden.rounding.bfloat16).buffer);
    const found = new Uint16Array(source.length);
    encodeBfloat16(source, found);
    // The package flushes nothing and quietens NaN as we do; only which NaN may differ.
    const isNan = (bits: number): boolean => (bits & 0x7fff) > 0x7f80;
    expect(Array.from(found, (bits) => (isNan(bits) ? -1 : bits))).toEqual(Array.from(expected, (bits) => (isNan(bits) ? -1 : bits)));
  });

  it('come back unchanged through float32, all 65,536 of each kind', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, index) => index);
    const wide = new Float32Array(65536);
    const back = new Uint16Array(65536);
    decodeFloat16(all, wide);
    encodeFloat16(wide, back);
    expect(all.filter((bits, index) => bits !== back[index] && !Number.isNaN(wide[index]))).toHaveLength(0);
    decodeBfloat16(all, wide);
    encodeBfloat16(wide, back);
    expect(all.filter((bits, index) => bits !== back[index] && !Number.isNaN(wide[index]))).toHaveLength(0);
  });

  it('are decoded at an offset without touching what is around', () => {
    const target = new Float32Array([9, 9, 9, 9]);
    decodeFloat16(Uint16Array.of(0x3c00, 0xc000), target, 1);
    expect(Array.from(target)).toEqual([9, 1, -2, 9]);
  });
});
