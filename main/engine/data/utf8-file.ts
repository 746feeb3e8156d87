/**
 * Reads UTF-8 text files piece by piece. A file that is not UTF-8 is refused with the place of the first wrong byte
 * and a guess at what the file is; nothing is replaced silently.
 */
import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { TextError, toAppError } from '../support/errors';
import { breathe } from '../support/progress';

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

const CHUNK_BYTES = 1 << 20;
/** One line, and with it one row of JSON lines, is held in memory whole. */
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024;
/** A text held in memory whole; well under the longest string that JavaScript allows. */
const MAX_WHOLE_BYTES = 256 * 1024 * 1024;

/** Starts of files that people take for texts. */
const KNOWN_STARTS: readonly { readonly bytes: readonly number[]; readonly what: string }[] = [
  { bytes: [0xff, 0xfe], what: 'a text in the encoding UTF-16' },
  { bytes: [0xfe, 0xff], what: 'a text in the encoding UTF-16' },
  { bytes: [0x25, 0x50, 0x44, 0x46], what: 'a PDF document' },
  { bytes: [0x50, 0x4b, 0x03, 0x04], what: 'a ZIP archive, or an office document' },
  { bytes: [0x1f, 0x8b], what: 'a gzip archive' },
  { bytes: [0x50, 0x41, 0x52, 0x31], what: 'a Parquet table' },
  { bytes: [0x47, 0x47, 0x55, 0x46], what: 'a GGUF model' },
  { bytes: [0xd0, 0xcf, 0x11, 0xe0], what: 'an office document' },
];

/** A line without its end. `number` counts from 1. */
export interface Line {
  readonly text: string;
  readonly number: number;
}

/** Decoded pieces of a file in order, byte-order mark and line ends as they are. Raises TextError or NotFoundError. */
export async function* readUtf8Chunks(file: string, options: ReadOptions = {}): AsyncGenerator<string> {
  const handle = await open(file, 'r').catch((error: unknown) => {
    throw toAppError(error);
  });
  try {
    if ((await handle.stat()).isDirectory()) {
      throw new TextError(`${file} is a folder; a text file was expected.`, { hint: 'Choose the files in it.', details: { file } });
    }
    const buffer = new Uint8Array(CHUNK_BYTES);
    let carried = 0;
    let offset = 0;
    let lineEnds = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, carried, CHUNK_BYTES - carried);
      const filled = carried + bytesRead;
      // The last bytes may be the beginning of a character; at the end of the file they are all there is.
      const complete = bytesRead === 0 ? filled : filled - incompleteEnd(buffer.subarray(0, filled));
      const piece = buffer.subarray(0, complete);
      if (!isUtf8(piece)) throw notUtf8(file, piece, offset, lineEnds);
      if (complete > 0) yield Buffer.from(piece).toString('utf8');
      if (bytesRead === 0) return;
      offset += complete;
      lineEnds += countLineEnds(piece);
      buffer.copyWithin(0, complete, filled);
      carried = filled - complete;
      await breathe(options.signal);
    }
  } finally {
    await handle.close();
  }
}

/** Lines of a file: the byte-order mark dropped, LF and CRLF alike, an unfinished last line included. */
export async function* readLines(file: string, options: ReadOptions = {}): AsyncGenerator<Line> {
  let rest = '';
  let number = 0;
  let first = true;
  const line = (text: string): Line => ({ text: text.endsWith('\r') ? text.slice(0, -1) : text, number: ++number });
  for await (const chunk of readUtf8Chunks(file, options)) {
    const parts = (rest + (first ? withoutByteOrderMark(chunk) : chunk)).split('\n');
    first = false;
    rest = parts.pop() ?? '';
    for (const part of parts) yield line(part);
    if (rest.length > MAX_LINE_CHARACTERS) {
      throw new TextError(`${file} has a line (${number + 1}) of more than ${MAX_LINE_CHARACTERS} characters.`, {
        hint: 'Break the text into lines.',
        details: { file, row: number + 1 },
      });
    }
  }
  if (rest !== '') yield line(rest);
}

/** The whole text of a file, nothing changed. Raises TextError for files of more than 256 MiB. */
export async function readUtf8File(file: string, options: ReadOptions = {}): Promise<string> {
  const chunks: string[] = [];
  let size = 0;
  for await (const chunk of readUtf8Chunks(file, options)) {
    size += Buffer.byteLength(chunk);
    if (size > MAX_WHOLE_BYTES) {
      throw new TextError(`${file} is larger than ${MAX_WHOLE_BYTES / 2 ** 20} MiB, the most that can be read at once.`, {
        hint: 'Use a part of it, or JSON lines (.jsonl), which are read row by row.',
        details: { file },
      });
    }
    chunks.push(chunk);
  }
  return chunks.join('');
}

/** A text without the byte-order mark that some editors put first. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

/** `piece` is the first that is not UTF-8; `offset` bytes and `lineEnds` line ends come before it. */
function notUtf8(file: string, piece: Uint8Array, offset: number, lineEnds: number): TextError {
  const known = offset === 0 ? KNOWN_STARTS.find(({ bytes }) => bytes.every((byte, index) => piece[index] === byte)) : undefined;
  const seems = known === undefined ? '' : ` It looks like ${known.what}.`;
  const at = firstInvalidByte(piece);
  const line = lineEnds + countLineEnds(piece.subarray(0, at)) + 1;
  const found = (piece[at] ?? 0).toString(16).padStart(2, '0');
  return new TextError(`${path.basename(file)} is not UTF-8 text: byte ${offset + at} (0x${found}, on line ${line}) does not fit.${seems}`, {
    hint: 'Open it in the program that made it and save it as plain text with the encoding UTF-8.',
    details: { file, offset: offset + at, line },
  });
}

function countLineEnds(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++;
  return count;
}

/** Bytes at the end that begin a character without finishing it, 0 to 3. */
function incompleteEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    return sequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/** Place of the first byte that is not part of a UTF-8 character; the length if there is none. */
export function firstInvalidByte(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0);
    if (length === 1) {
      at++;
      continue;
    }
    // isUtf8 knows overlong forms and surrogates; characters outside ASCII are few enough to ask one by one.
    if (length === 0 || at + length > bytes.length || !isUtf8(bytes.subarray(at, at + length))) return at;
    at += length;
  }
  return at;
}
