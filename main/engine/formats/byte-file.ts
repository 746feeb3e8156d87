/** A file that is read by position in bounded pieces, never whole: what all readers of model files stand on. */
import { readSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { FormatError, NotFoundError, toAppError } from '../support/errors';

/** One read call asks for at most this much, so that cancellation and memory stay in hand. */
export const READ_CHUNK_BYTES = 8 * 1024 * 1024;

/** An open regular file. Whoever opens it closes it. */
export class ByteFile {
  readonly path: string;
  /** File name for messages. */
  readonly name: string;
  readonly sizeBytes: number;
  private readonly handle: FileHandle;
  private readBytes = 0;

  private constructor(path: string, sizeBytes: number, handle: FileHandle) {
    this.path = path;
    this.name = basename(path);
    this.sizeBytes = sizeBytes;
    this.handle = handle;
  }

  /** Opens for reading. Throws NotFoundError when there is nothing, or no regular file, at `path`. */
  static async open(path: string): Promise<ByteFile> {
    const handle = await open(path, 'r').catch((error: unknown) => {
      throw toAppError(error);
    });
    try {
      const status = await handle.stat();
      if (!status.isFile()) {
        throw new NotFoundError(`${path} is not a file.`, { details: { file: path } });
      }
      return new ByteFile(path, status.size, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that have been read from it so far. */
  get bytesRead(): number {
    return this.readBytes;
  }

  /**
   * Fills `target` from byte `offset`. All pieces are asked for at once, so that reading goes on by itself while the
   * thread computes. Throws FormatError if the file ends before.
   */
  async readInto(target: Uint8Array, offset: number): Promise<void> {
    const pieces: Promise<number>[] = [];
    for (let start = 0; start < target.byteLength; start += READ_CHUNK_BYTES) {
      pieces.push(this.readPiece(target.subarray(start, start + READ_CHUNK_BYTES), offset + start));
    }
    const filled = (await Promise.all(pieces)).reduce((sum, bytes) => sum + bytes, 0);
    if (filled < target.byteLength) throw this.endedEarly(offset, target.byteLength, filled);
  }

  /** Fills `target` as far as the file goes; returns how far. */
  private async readPiece(target: Uint8Array, offset: number): Promise<number> {
    let filled = 0;
    while (filled < target.byteLength) {
      const { bytesRead } = await this.handle.read(target, filled, target.byteLength - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.readBytes += filled;
    return filled;
  }

  /** `length` bytes from `offset`, in new memory. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    await this.readInto(bytes, offset);
    return bytes;
  }

  /** As `readInto`, but blocking: for headers made of many small values, where a promise each would cost more. */
  readIntoSync(target: Uint8Array, offset: number): void {
    let filled = 0;
    while (filled < target.byteLength) {
      const count = readSync(this.handle.fd, target, filled, target.byteLength - filled, offset + filled);
      if (count === 0) throw this.endedEarly(offset, target.byteLength, filled);
      filled += count;
    }
    this.readBytes += filled;
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  private endedEarly(offset: number, wanted: number, got: number): FormatError {
    return new FormatError(
      `${this.name} ends ${wanted - got} bytes too early: ${wanted} bytes were expected at byte ${offset}, ` +
        `and the file has ${this.sizeBytes} bytes.`,
      { hint: 'Copy or download the file again.', details: { file: this.path, offset } },
    );
  }
}
