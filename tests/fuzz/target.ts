/** What is fuzzed: a parser, how its damaged inputs are made, and what it may take. */
import { writeFileSync } from 'node:fs';
import type { Random } from '../../main/engine/support/random';

/** One damaged input, ready to be read. */
export interface FuzzCase {
  /** Bytes of the input, all its files together. */
  readonly bytes: number;
  /** Reads it as the program does, and what comes out of it. */
  readonly use: () => unknown;
}

/** A parser. */
export interface FuzzTarget {
  readonly name: string;
  /**
   * The largest single piece of memory that it may ask for whatever the input says: its own buffers. Anything beyond
   * must be within the input's size class (`SIZE_CLASS` times its bytes).
   */
  readonly fixedBytes: number;
  /** CPU milliseconds that one case may take. */
  readonly mostMs: number;
  /** Makes the real files in an empty folder and answers what makes a case of them; cases overwrite each other's files. */
  prepare(folder: string): Promise<(random: Random) => FuzzCase>;
}

/** A case of one file at `path`. */
export function fileCase(path: string, bytes: Buffer, use: (path: string) => unknown): FuzzCase {
  writeFileSync(path, bytes);
  return { bytes: bytes.length, use: () => use(path) };
}
