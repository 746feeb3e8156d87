/**
 * Extracts the vocabulary of a GGUF file as test data: `node extract-vocabulary.mjs MODEL.gguf OUT.json.gz`.
 * Writes the metadata keys `tokenizer.*` as JSON. It trusts its input: the program's own reader is bounded, this is not.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const [input, output] = process.argv.slice(2);
const bytes = readFileSync(input);
let at = 0;
const take = (count) => (at += count) - count;
const text = () => {
  const length = Number(bytes.readBigUInt64LE(take(8)));
  return bytes.toString('utf8', take(length), at);
};
const readers = {
  0: () => bytes.readUInt8(take(1)),
  1: () => bytes.readInt8(take(1)),
  2: () => bytes.readUInt16LE(take(2)),
  3: () => bytes.readInt16LE(take(2)),
  4: () => bytes.readUInt32LE(take(4)),
  5: () => bytes.readInt32LE(take(4)),
  6: () => bytes.readFloatLE(take(4)),
  7: () => bytes.readUInt8(take(1)) === 1,
  8: text,
  9: () => {
    const type = bytes.readUInt32LE(take(4));
    return Array.from({ length: Number(bytes.readBigUInt64LE(take(8))) }, () => readers[type]());
  },
  10: () => Number(bytes.readBigUInt64LE(take(8))),
  11: () => Number(bytes.readBigInt64LE(take(8))),
  12: () => bytes.readDoubleLE(take(8)),
};

take(16);
const keys = Number(bytes.readBigUInt64LE(take(8)));
const metadata = {};
for (let index = 0; index < keys; index++) {
  const key = text();
  const value = readers[bytes.readUInt32LE(take(4))]();
  if (key.startsWith('tokenizer.')) metadata[key] = value;
}
writeFileSync(output, gzipSync(JSON.stringify(metadata), { level: 9 }));
