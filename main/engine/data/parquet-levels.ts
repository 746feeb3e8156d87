/** Run lengths inside Parquet's pages, held against the page's count of values: their reader fills whatever a run says. */
import { FormatError } from '../support/errors';

/** A page's values as runs: levels that say which values are there, and places in a dictionary. */
export interface PageRuns {
  readonly values: number;
  /** The largest repetition and definition levels of the column; no levels are stored where they are 0. */
  readonly mostRepetition: number;
  readonly mostDefinition: number;
  /** Whether the values themselves are places in a dictionary. */
  readonly isDictionary: boolean;
}

/** Writers may end with a group of eight that is not full, and some with the whole of a longest run. */
const MOST_PADDING = 512;

/** Checks an uncompressed page whose levels stand at its beginning, each behind its length (version 1). Raises FormatError. */
export function checkPageRuns(bytes: Uint8Array, { values, mostRepetition, mostDefinition, isDictionary }: PageRuns): void {
  let at = 0;
  for (const most of [mostRepetition, mostDefinition]) {
    if (most === 0) continue;
    if (at + 4 > bytes.length) throw new FormatError('A page ends before its levels.');
    const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
    at += 4;
    if (length > bytes.length - at) throw new FormatError('A page has levels beyond its end.');
    checkRuns(bytes.subarray(at, at + length), widthOf(most), values);
    at += length;
  }
  if (isDictionary) checkPlaces(bytes.subarray(at), values);
}

/** Checks places in a dictionary: a byte with their width, then runs. Raises FormatError. */
export function checkPlaces(bytes: Uint8Array, values: number): void {
  const width = bytes[0] ?? 0;
  if (width > 32) throw new FormatError(`A page has places of ${width} bits.`);
  if (width > 0) checkRuns(bytes.subarray(1), width, values);
}

/** Bits that hold numbers from 0 to `most`. */
export function widthOf(most: number): number {
  return 32 - Math.clz32(most);
}

/** Checks runs of numbers of `width` bits, at most `values` of them. Raises FormatError. */
export function checkRuns(bytes: Uint8Array, width: number, values: number): void {
  let [at, seen] = [0, 0];
  while (seen < values && at < bytes.length) {
    let [header, shift, byte] = [0, 0, 0];
    do {
      byte = bytes[at++] ?? 0;
      header += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while ((byte & 0x80) !== 0 && shift < 35);
    const isPacked = header % 2 === 1;
    const count = Math.floor(header / 2) * (isPacked ? 8 : 1);
    if (shift > 35 || header >= 2 ** 31 || count > values - seen + (isPacked ? MOST_PADDING : 0)) {
      throw new FormatError(`A page has a run of ${count} values where ${values - seen} are left.`);
    }
    at += isPacked ? (count / 8) * width : Math.ceil(width / 8);
    seen += count;
  }
}
