/** Reads single values of the vocabulary inside a GGUF file, naming the key that does not fit. */
import { FormatError } from '../support/errors';
import { describeValue } from '../support/describe-value';

/** Metadata of a GGUF file: arrays as arrays or typed arrays. */
export type GgufMetadataLike = ReadonlyMap<string, unknown>;

/** A key that must be there and is not, or is no list. */
export function missing(key: string): FormatError {
  return new FormatError(`The GGUF file's vocabulary is incomplete: ${key} is missing or not a list.`, { details: { key } });
}

/** A list of texts; null if the key is missing. Raises FormatError. */
export function readStrings(metadata: GgufMetadataLike, key: string): string[] | null {
  const value = metadata.get(key);
  if (!Array.isArray(value)) return null;
  return value.map((item: unknown, index) => {
    if (typeof item === 'string') return item;
    throw new FormatError(`${key}[${index}] is not a text.`, { details: { key, index } });
  });
}

/** The merges of a vocabulary, each two tokens with a space between. Raises FormatError. */
export function readMerges(metadata: GgufMetadataLike): string[] {
  const merges = readStrings(metadata, 'tokenizer.ggml.merges');
  if (merges === null) throw missing('tokenizer.ggml.merges');
  return merges;
}

/** The score of each token. Raises FormatError. */
export function readScores(metadata: GgufMetadataLike, length: number): number[] {
  const scores = readNumbers(metadata, 'tokenizer.ggml.scores', length);
  if (scores === null) throw missing('tokenizer.ggml.scores');
  return scores;
}

/** A list of `length` numbers; null if the key is missing. Raises FormatError. */
export function readNumbers(metadata: GgufMetadataLike, key: string, length: number): number[] | null {
  const value = metadata.get(key);
  if (value === undefined) return null;
  const items: unknown[] | null = Array.isArray(value) ? value : isNumberArray(value) ? Array.from<unknown>(value) : null;
  if (items === null) throw missing(key);
  if (items.length !== length) {
    throw new FormatError(`${key} has ${items.length} entries for ${length} tokens.`, { details: { key, expected: length, found: items.length } });
  }
  return items.map((item, index) => {
    const number = Number(item);
    if ((typeof item === 'number' || typeof item === 'bigint') && !Number.isNaN(number)) return number;
    throw new FormatError(`${key}[${index}] is not a number.`, { details: { key, index } });
  });
}

function isNumberArray(value: unknown): value is Iterable<unknown> {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** A token id below `count`; null if the key is missing or says that there is none. Raises FormatError. */
export function optionalId(metadata: GgufMetadataLike, key: string, count: number): number | null {
  const value = metadata.get(key);
  if (value === undefined) return null;
  const id = Number(value);
  if ((typeof value === 'number' || typeof value === 'bigint') && Number.isInteger(id) && id >= 0) {
    // Writers mark "none" by the largest 32-bit number.
    if (id < count) return id;
    if (id === 0xffff_ffff) return null;
  }
  throw new FormatError(`${key} is ${describeValue(value)}, but the vocabulary has ${count} tokens.`, { details: { key, found: describeValue(value) } });
}
