import { describe, expect, it } from 'vitest';
import { encodePlain, type WrittenType } from '../../main/engine/tensors/elements';
import { describeRange, elementConverter, encodeInRange, noCounts, type FloatType } from '../../main/engine/tensors/range';
import { ReusedMemory } from '../../main/engine/tensors/reused-memory';
import { sliceRows, type RowSource } from '../../main/engine/tensors/rows';

/** Every float16 or bfloat16. */
const ALL_WORDS = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, word) => word).buffer);

/** Edges of both 16-bit types: largest, just beyond, smallest, half of that, and what is no number. */
const EDGES = Float32Array.from([
  0, -0, 1, 65504, 65519.99, 65520, -65520, 1e30, 2 ** -24, 2 ** -25, 2 ** -25 * 1.0001, -(2 ** -26), 3.3e38, 3.4e38, 1e-40, 1e-45, Infinity, -Infinity, NaN,
]);

describe('Changing the element type', () => {
  it('counts what a float16 cannot hold, keeps it finite, and leaves the rest as the plain encoding does', () => {
    const counts = noCounts();
    const bytes = encodeInRange('F16', EDGES, counts);
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, EDGES.length);
    const plain = new Uint16Array(encodePlain('F16', EDGES).buffer);
    EDGES.forEach((value, index) => {
      const isLost = Number.isFinite(value) && Math.abs(value) >= 65520;
      expect(words[index], `${value}`).toBe(isLost ? (value < 0 ? 0xfbff : 0x7bff) : plain[index]);
    });
    expect(counts).toEqual({ overflowed: 5, underflowed: 4, notFinite: 3 });
  });

  it('counts what a bfloat16 cannot hold', () => {
    const counts = noCounts();
    encodeInRange('BF16', EDGES, counts);
    expect(counts).toEqual({ overflowed: 1, underflowed: 1, notFinite: 3 });
  });

  it.each<[FloatType, WrittenType]>([['BF16', 'F16'], ['F16', 'BF16'], ['BF16', 'F32'], ['F16', 'F32']])('goes from %s to %s by table as it does by value, for all 65,536 of them', (from, to) => {
    const values = new Float32Array(65536);
    const widened = elementConverter(from, 'F32')(ALL_WORDS, noCounts());
    values.set(new Float32Array(widened.buffer));
    const [byTable, byValue] = [noCounts(), noCounts()];
    expect(Buffer.from(elementConverter(from, to)(ALL_WORDS, byTable)).equals(Buffer.from(encodeInRange(to, values, byValue)))).toBe(true);
    expect(byTable).toEqual(byValue);
  });

  it('is right for an odd number of words, in memory that held longer pieces before', () => {
    const convert = elementConverter('BF16', 'F16');
    const memory = new ReusedMemory();
    for (const words of [65536, 3, 1, 0, 4097]) {
      const piece = ALL_WORDS.slice(2 * 14_000, 2 * Math.min(65536, 14_000 + words));
      const [fresh, again] = [noCounts(), noCounts()];
      const found = convert(piece, again, memory);
      expect(Buffer.from(found).equals(Buffer.from(convert(piece, fresh)))).toBe(true);
      expect([found.byteLength, again]).toEqual([piece.byteLength, fresh]);
    }
  });

  it('narrows float64 with the same care, and copies what stays as it is', () => {
    const counts = noCounts();
    const bytes = elementConverter('F64', 'F32')(new Uint8Array(Float64Array.of(1.5, -1e300, 1e-300, NaN).buffer), counts);
    expect([...new Float32Array(bytes.buffer)]).toEqual([1.5, -3.4028234663852886e38, 0, NaN]);
    expect(counts).toEqual({ overflowed: 1, underflowed: 1, notFinite: 1 });
    expect(elementConverter('BF16', 'BF16')(ALL_WORDS, noCounts())).toBe(ALL_WORDS);
  });

  it('is told in sentences with numbers and names', () => {
    const finding = (tensor: string, overflowed: number, underflowed: number): Parameters<typeof describeRange>[1][number] => ({ tensor, overflowed, underflowed, notFinite: 0 });
    expect(describeRange('F16', [])).toEqual([]);
    expect(describeRange('F16', [finding('a', 1, 2000), finding('b', 0, 1), finding('c', 0, 1), finding('d', 0, 1)])).toEqual([
      '1 weights are too large for F16 and were set to its largest number; BF16 or F32 would keep them (in a).',
      '2,003 weights are too small for F16 and became 0; BF16 or F32 would keep them (in a, b, c and 1 more).',
    ]);
  });
});

describe('Rows', () => {
  const data = Uint16Array.from({ length: 12 * 5 }, (_, index) => index);
  const source: RowSource = {
    shape: [12, 5], type: 'F16',
    readInto: (target, first) => target.set(new Uint8Array(data.buffer, first * 10, target.byteLength)),
  };

  it.each([
    { rows: [0, 3, 4, 11], columns: null }, { rows: null, columns: [0, 2, 4] }, { rows: [2, 5, 9], columns: [4] }, { rows: null, columns: null },
  ])('at $rows and columns $columns are the same whether they are read together or in pieces', (cut) => {
    const cutOut = sliceRows(source, cut);
    const expected = (cut.rows ?? Array.from({ length: 12 }, (_, row) => row)).flatMap((row) => (cut.columns ?? [0, 1, 2, 3, 4]).map((column) => row * 5 + column));
    const [count = 0, width = 0] = cutOut.shape;
    expect([count * width, cutOut.type]).toEqual([expected.length, 'F16']);
    for (const step of [1, 2, count]) {
      const found: number[] = [];
      for (let first = 0; first < count; first += step) {
        const target = new Uint8Array(Math.min(step, count - first) * width * 2);
        cutOut.readInto(target, first);
        found.push(...new Uint16Array(target.buffer));
      }
      expect(found).toEqual(expected);
    }
  });
});
