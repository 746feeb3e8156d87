/** Tensor handles over a file: elements are read in pieces and decoded piece by piece, so only the result is large. */
import type { StoredType, TensorHandle } from '../tensors/handle';
import { elementCount } from '../tensors/shape';
import { READ_CHUNK_BYTES, type ByteFile } from './byte-file';

/** Blocks that are decoded at once in place; few enough to stay in the processor's cache. */
const DECODED_BLOCKS = 1 << 14;

/** A tensor in a file whose raw bytes can be looked at too. */
export interface StoredTensor extends TensorHandle {
  /** Byte position of its data in the file. */
  readonly offset: number;
  /** Raw bytes [start, start + length) of its data. */
  readBytes(start: number, length: number): Promise<Uint8Array>;
  /** Fills `target` with raw bytes from `start` of its data on. Blocks, so ask for pieces. */
  readBytesInto(target: Uint8Array, start: number): void;
}

/** How a type is laid out: `blockBytes` bytes hold `blockElements` elements. */
export interface BlockLayout {
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Decodes whole blocks into `target` from element `at`. */
  decode(bytes: Uint8Array, target: Float32Array, at: number): void;
}

/** A handle for data at `offset` of `file`. The caller has checked that it lies inside the file. */
export function createStoredTensor(
  file: ByteFile,
  name: string,
  storedType: StoredType,
  shape: readonly number[],
  offset: number,
  layout: BlockLayout,
): StoredTensor {
  const count = elementCount(shape);
  const sizeBytes = (count / layout.blockElements) * layout.blockBytes;
  return {
    name,
    storedType,
    shape,
    offset,
    sizeBytes,
    readBytes: (start, length) => file.read(offset + start, length),
    readBytesInto: (target, start) => file.readIntoSync(target, offset + start),
    async readFloat32(into) {
      const values = into ?? new Float32Array(count);
      if (storedType === 'F32') {
        await file.readInto(bytesOf(values), offset);
        return values;
      }
      if (into !== undefined && sizeBytes <= into.byteLength) {
        // The stored bytes go to the end of the memory that their values will fill: decoded from the front, piece by
        // piece, values never reach bytes that are still to be decoded, and nothing but the result takes memory.
        const stored = bytesOf(into).subarray(into.byteLength - sizeBytes);
        await file.readInto(stored, offset);
        const piece = new Uint8Array(Math.min(sizeBytes, DECODED_BLOCKS * layout.blockBytes));
        for (let done = 0; done < sizeBytes; done += piece.byteLength) {
          const length = Math.min(piece.byteLength, sizeBytes - done);
          piece.set(stored.subarray(done, done + length));
          layout.decode(piece.subarray(0, length), into, (done / layout.blockBytes) * layout.blockElements);
        }
        return into;
      }
      const blocksPerChunk = Math.max(1, Math.floor(READ_CHUNK_BYTES / layout.blockBytes));
      const chunk = new Uint8Array(Math.min(sizeBytes, blocksPerChunk * layout.blockBytes));
      for (let done = 0; done < sizeBytes; done += chunk.byteLength) {
        const piece = chunk.subarray(0, Math.min(chunk.byteLength, sizeBytes - done));
        await file.readInto(piece, offset + done);
        layout.decode(piece, values, (done / layout.blockBytes) * layout.blockElements);
      }
      return values;
    },
  };
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
