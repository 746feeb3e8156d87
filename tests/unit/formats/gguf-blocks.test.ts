import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { GGUF_LAYOUTS, decodedType } from '../../../main/engine/formats/gguf/blocks';

const golden = v.parse(
  v.object({ blocks: v.array(v.object({ type: v.string(), blocks: v.string(), values: v.string() })) }),
  JSON.parse(readFileSync(new URL('../../golden/data/gguf-blocks.json', import.meta.url), 'utf8')),
);

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

/** Bits, with every NaN made the same: which NaN comes out is nobody's promise. */
function bitsOf(values: Float32Array): number[] {
  const words = new Uint32Array(values.buffer);
  return Array.from(values, (value, index) => (Number.isNaN(value) ? 0x7fc00000 : (words[index] ?? 0)));
}

describe('GGUF blocks', () => {
  it.each(golden.blocks)('of $type are decoded as the gguf package does, to the bit', ({ type, blocks, values }) => {
    const raw = bytes(blocks);
    const layout = GGUF_LAYOUTS[decodedType(type) ?? 'I8'];
    const found = new Float32Array(((layout?.blockElements ?? 0) * raw.length) / (layout?.blockBytes ?? 1));
    layout?.decode(raw, found, 0);
    expect(bitsOf(found)).toEqual(bitsOf(new Float32Array(bytes(values).buffer)));
  });
});
