/**
 * Writes a safetensors file as a stream: the header first, known from the shapes alone, then one tensor at a time,
 * so memory is bounded by the largest tensor. Equal inputs give equal bytes.
 */
import { ShapeError } from '../../support/errors';
import { throwIfCancelled } from '../../support/progress';
import { PLAIN_TYPE_BYTES, encodePlain, type WrittenType } from '../../tensors/elements';
import { describeShape, elementCount } from '../../tensors/shape';
import { writeWholeFile } from '../whole-file';

/** A tensor to be written: its place in the header is fixed by type and shape, its values come when their turn comes. */
export interface TensorToWrite<Type extends string = WrittenType> {
  readonly name: string;
  readonly type: Type;
  readonly shape: readonly number[];
  /** Values in row-major order. Called once. */
  readonly read: () => Promise<Float32Array>;
}

/** Options of the streaming tensor writers. */
export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes written in all after each tensor. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Values of one tensor are encoded in pieces of this many elements. */
export const ENCODE_CHUNK_ELEMENTS = 1 << 20;

/** The bytes that come before the data. */
export function encodeSafetensorsHeader(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let begin = 0;
  for (const { name, type, shape } of tensors) {
    const end = begin + elementCount(shape) * PLAIN_TYPE_BYTES[type];
    header[name] = { dtype: type, shape, data_offsets: [begin, end] };
    begin = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // Data starts at a multiple of 8, so that readers may map it; the format pads its header with spaces.
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, 8);
  return bytes;
}

/**
 * Writes `tensors` in the order given, with `format: pt` as transformers expects. Answers the file's size.
 * Throws ShapeError if a tensor gives another number of values than its shape says; nothing is left then.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  options: StreamOptions & { readonly metadata?: Readonly<Record<string, string>> } = {},
): Promise<number> {
  return writeWholeFile(path, async (file) => {
    await file.write(encodeSafetensorsHeader(tensors, { format: 'pt', ...options.metadata }));
    for (const tensor of tensors) {
      throwIfCancelled(options.signal);
      const values = await readValues(tensor);
      for (let at = 0; at < values.length; at += ENCODE_CHUNK_ELEMENTS) {
        throwIfCancelled(options.signal);
        await file.write(encodePlain(tensor.type, values.subarray(at, at + ENCODE_CHUNK_ELEMENTS)));
      }
      options.onBytes?.(file.position);
    }
  });
}

/** The values of a tensor, checked against its shape. */
export async function readValues(tensor: TensorToWrite): Promise<Float32Array> {
  const values = await tensor.read();
  const expected = elementCount(tensor.shape);
  if (values.length !== expected) {
    throw new ShapeError(
      `Tensor ${tensor.name} should have ${expected} values for its shape ${describeShape(tensor.shape)} and has ${values.length}.`,
      { details: { tensor: tensor.name, expected: String(expected), actual: String(values.length) } },
    );
  }
  return values;
}
