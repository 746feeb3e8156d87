/**
 * The two 16-bit floating formats of model files, to and from float32. Encoding rounds to nearest, ties to even,
 * as IEEE 754 asks; NaN stays NaN and overflow becomes infinity.
 */

const HALF_VALUES = buildHalfValues();

/** Every float16 as float32, by its bits: one lookup is faster than arithmetic, and 256 KiB is little. */
function buildHalfValues(): Float32Array {
  const values = new Float32Array(65536);
  const words = new Uint32Array(values.buffer);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = (bits & 0x8000) << 16;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    if (exponent === 0x1f) words[bits] = sign | 0x7f800000 | (fraction << 13);
    else if (exponent !== 0) words[bits] = sign | ((exponent + 112) << 23) | (fraction << 13);
    else values[bits] = (sign === 0 ? 1 : -1) * fraction * 2 ** -24;
  }
  return values;
}

/** The value of one float16 given by its bits. */
export function float16Value(bits: number): number {
  return HALF_VALUES[bits & 0xffff] ?? 0;
}

/** Decodes float16 words into `target` from index `at`. Exact. */
export function decodeFloat16(source: Uint16Array, target: Float32Array, at = 0): void {
  for (let index = 0; index < source.length; index++) {
    target[at + index] = HALF_VALUES[source[index] ?? 0] ?? 0;
  }
}

/** Decodes bfloat16 words (the upper halves of float32) into `target` from index `at`. Exact. */
export function decodeBfloat16(source: Uint16Array, target: Float32Array, at = 0): void {
  const words = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let index = 0; index < source.length; index++) words[at + index] = (source[index] ?? 0) << 16;
}

/** Encodes float32 as float16 words. */
export function encodeFloat16(source: Float32Array, target: Uint16Array): void {
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const scratch = new Float32Array(1);
  const scratchWord = new Uint32Array(scratch.buffer);
  for (let index = 0; index < source.length; index++) {
    const word = words[index] ?? 0;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) {
      half = 0x7e00 | ((magnitude >> 13) & 0x3ff);
    } else if (magnitude >= 0x47800000) {
      half = 0x7c00;
    } else if (magnitude >= 0x38800000) {
      // Rounding may carry into the exponent, which is right: the next number up, or infinity from 65520 on.
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    } else {
      // At 0.5 a float32's last bit is 2^-24, the unit of float16's subnormals: the addition rounds for us.
      scratch[0] = Math.abs(source[index] ?? 0) + 0.5;
      half = (scratchWord[0] ?? 0) - 0x3f000000;
    }
    target[index] = sign | half;
  }
}

/** Encodes float32 as bfloat16 words. */
export function encodeBfloat16(source: Float32Array, target: Uint16Array): void {
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let index = 0; index < source.length; index++) {
    const word = words[index] ?? 0;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    // A NaN is made quiet instead of rounded: rounding could carry it into infinity.
    target[index] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}
