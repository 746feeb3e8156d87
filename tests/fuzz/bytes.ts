/** Damage to bytes: what a broken download, a faulty writer or somebody's ill will does to a file, whatever its format. */
import type { Random } from '../../main/engine/support/random';

/** One of a list that is not empty. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[random.nextInteger(items.length)];
  if (item === undefined) throw new Error('There is nothing to pick from.');
  return item;
}

/** Counts and lengths at which readers go wrong: nothing, one, and the ends of what a type or a double holds. */
const EXTREMES: readonly bigint[] = [
  0n, 1n, 2n, 127n, 128n, 255n, 256n, 65_535n, 65_536n, 1_000_000n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 48n,
  2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n,
];
/** A lone continuation, overlong forms, a surrogate, a beginning without its end, beyond Unicode, UTF-16's mark. */
const BROKEN_UTF8 = [[0x80], [0xc0, 0xaf], [0xe0, 0x80, 0xaf], [0xed, 0xa0, 0x80], [0xf0, 0x9f], [0xf5, 0x80, 0x80, 0x80], [0xff, 0xfe]];

type Damage = (bytes: Buffer, random: Random, fields: readonly number[]) => Buffer;

/** Replaces `count` bytes from `at` on. */
function splice(bytes: Buffer, at: number, count: number, ...pieces: readonly Buffer[]): Buffer {
  return Buffer.concat([bytes.subarray(0, at), ...pieces, bytes.subarray(at + count)]);
}

function placeIn(bytes: Buffer, random: Random): number {
  return random.nextInteger(bytes.length + 1);
}

/** A part of the bytes, mostly short. */
function spanOf(bytes: Buffer, random: Random): Buffer {
  const start = placeIn(bytes, random);
  return bytes.subarray(start, start + 1 + random.nextInteger(random.nextInteger(4) === 0 ? 256 : 16));
}

function writeExtreme(bytes: Buffer, at: number, random: Random): Buffer {
  const value = pick(random, [...EXTREMES, BigInt(bytes.length), BigInt(bytes.length) + 1n, BigInt(bytes.length - Math.min(at, bytes.length))]);
  const damaged = Buffer.from(bytes);
  if (at + 8 <= bytes.length && random.nextInteger(2) === 0) damaged.writeBigUInt64LE(value, at);
  else if (at + 4 <= bytes.length) damaged.writeUInt32LE(Number(value & 0xffff_ffffn), at);
  return damaged;
}

const DAMAGES: readonly Damage[] = [
  (bytes, random) => {
    const damaged = Buffer.from(bytes);
    const at = placeIn(bytes, random);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << random.nextInteger(8));
    return damaged;
  },
  (bytes, random) => {
    const damaged = Buffer.from(bytes);
    damaged[placeIn(bytes, random)] = random.nextInteger(256);
    return damaged;
  },
  (bytes, random) => Buffer.from(bytes).fill(random.nextInteger(256), placeIn(bytes, random), Math.min(bytes.length, placeIn(bytes, random))),
  (bytes, random) => bytes.subarray(0, placeIn(bytes, random)),
  (bytes, random) => splice(bytes, placeIn(bytes, random), spanOf(bytes, random).length),
  (bytes, random) => splice(bytes, placeIn(bytes, random), 0, spanOf(bytes, random)),
  (bytes, random) => {
    const span = spanOf(bytes, random);
    return splice(bytes, placeIn(bytes, random), span.length, span);
  },
  (bytes, random) => splice(bytes, placeIn(bytes, random), 0, Buffer.alloc(1 + random.nextInteger(64), random.nextInteger(256))),
  (bytes, random) => splice(bytes, placeIn(bytes, random), random.nextInteger(3), Buffer.from(pick(random, BROKEN_UTF8))),
  (bytes, random) => writeExtreme(bytes, placeIn(bytes, random), random),
  (bytes, random, fields) => (fields.length === 0 ? bytes : writeExtreme(bytes, pick(random, fields), random)),
  (bytes, random, fields) => (fields.length === 0 ? bytes : writeExtreme(bytes, pick(random, fields), random)),
];

/**
 * One to four damages, at random; `fields` are the places of counts, lengths and types, which suffer more often. Seeds
 * longer than `reach` are damaged in their first `reach` bytes only.
 */
export function damageBytes(seed: Buffer, random: Random, fields: readonly number[] = [], reach = seed.length): Buffer {
  let bytes = seed.subarray(0, reach);
  for (let left = 1 + random.nextInteger(4); left > 0; left--) bytes = pick(random, DAMAGES)(bytes, random, fields);
  return reach < seed.length ? Buffer.concat([bytes, seed.subarray(reach)]) : bytes;
}
