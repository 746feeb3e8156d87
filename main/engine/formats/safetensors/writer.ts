/**
 * Writes a safetensors file as a stream: the header first, known from the shapes alone, then one tensor at a time,
 * so memory is bounded by the largest tensor. Equal inputs give equal bytes.
 */
import { PLAIN_TYPE_BYTES } from '../../tensors/elements';
import { elementCount } from '../../tensors/shape';
import { streamTensors, type StreamOptions, type TensorToWrite } from '../tensor-stream';
import { writeWholeFile } from '../whole-file';

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
    await streamTensors(file, tensors, 1, options);
  });
}
