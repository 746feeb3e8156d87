/** A forward-only look at the start of a file through a small window, checked against the file's end at every step. */
import { FormatError } from '../../support/errors';
import type { ByteFile } from '../byte-file';

const WINDOW_BYTES = 1 << 20;

/** Reads little-endian values one after another. Every method throws FormatError when the file ends before. */
export class Cursor {
  readonly file: ByteFile;
  private window = new Uint8Array(0);
  private view = new DataView(new ArrayBuffer(0));
  private windowStart = 0;
  private at = 0;
  /** Keeps a leading U+FEFF: it is a token of its own in many vocabularies. */
  private readonly text = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(file: ByteFile) {
    this.file = file;
  }

  /** Byte position in the file. */
  get position(): number {
    return this.windowStart + this.at;
  }

  get remainingBytes(): number {
    return this.file.sizeBytes - this.position;
  }

  uint8(): number {
    const at = this.take(1);
    return this.view.getUint8(at);
  }

  uint32(): number {
    const at = this.take(4);
    return this.view.getUint32(at, true);
  }

  int32(): number {
    const at = this.take(4);
    return this.view.getInt32(at, true);
  }

  uint64(): bigint {
    const at = this.take(8);
    return this.view.getBigUint64(at, true);
  }

  int64(): bigint {
    const at = this.take(8);
    return this.view.getBigInt64(at, true);
  }

  float32(): number {
    const at = this.take(4);
    return this.view.getFloat32(at, true);
  }

  float64(): number {
    const at = this.take(8);
    return this.view.getFloat64(at, true);
  }

  /** A copy of the next `length` bytes, aligned for any typed array. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    if (length <= WINDOW_BYTES) {
      const start = this.take(length);
      return this.window.slice(start, start + length);
    }
    this.require(length);
    const bytes = new Uint8Array(length);
    this.file.readIntoSync(bytes, this.position);
    this.skipTo(this.position + length);
    return bytes;
  }

  /** The next `length` bytes as UTF-8; broken sequences become U+FFFD, since tokens may hold parts of characters. */
  utf8(length: number): string {
    if (length > WINDOW_BYTES) return this.text.decode(this.bytes(length));
    const start = this.take(length);
    return this.text.decode(this.window.subarray(start, start + length));
  }

  private take(length: number): number {
    if (this.at + length > this.window.length) this.refill(length);
    const start = this.at;
    this.at += length;
    return start;
  }

  private refill(length: number): void {
    this.require(length);
    this.skipTo(this.position);
    this.window = new Uint8Array(Math.min(WINDOW_BYTES, this.remainingBytes));
    this.file.readIntoSync(this.window, this.windowStart);
    this.view = new DataView(this.window.buffer);
  }

  private skipTo(position: number): void {
    this.windowStart = position;
    this.at = 0;
    this.window = new Uint8Array(0);
  }

  private require(length: number): void {
    if (length <= this.remainingBytes) return;
    throw new FormatError(
      `${this.file.name} is cut short: its header goes on after the end of the file at byte ${this.file.sizeBytes} ` +
        `(at least ${length - this.remainingBytes} bytes are missing).`,
      { hint: 'Copy or download the file again.', details: { file: this.file.path, offset: this.position } },
    );
  }
}
