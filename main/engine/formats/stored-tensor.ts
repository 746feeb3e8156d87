/** Tensor handles over a file: elements are read in pieces and decoded piece by piece, so only the result is large. */
import type { StoredType, TensorHandle } from '../tensors/handle';
import { elementCount } from '../tensors/shape';
import { READ_CHUNK_BYTES, type ByteFile } from './byte-file';

/** A tensor in a file whose raw bytes can be looked at too. */
export interface StoredTensor extends TensorHandle {
  /** Byte position of its data in the file. */
  readonly offset: number;
  /** Raw bytes [start, start + length) of its data. */
  readBytes(start: number, length: number): Promise<Uint8Array>;
  /** Fills `target` with raw bytes from `start` of its data on. */
  readBytesInto(target: Uint8Array, start: number): Promise<void>;
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
    readBytesInto: (target, start) => file.readInto(target, offset + start),
    async readFloat32() {
      const values = new Float32Array(count);
      if (storedType === 'F32') {
        await file.readInto(new Uint8Array(values.buffer), offset);
        return values;
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
