/**
 * Writes a safetensors file as a stream: the header first, known from the shapes alone, then one tensor at a time,
 * so memory is bounded by the largest tensor. Equal inputs give equal bytes.
 */
import { ShapeError } from '../../support/errors';
import { breathe, throwIfCancelled } from '../../support/progress';
import { PLAIN_TYPE_BYTES, type WrittenType } from '../../tensors/elements';
import { elementConverter, encodeInRange, hasLosses, noCounts, type ElementConverter, type FloatType, type RangeCounts } from '../../tensors/range';
import { ReusedMemory } from '../../tensors/reused-memory';
import { ROWS_CHUNK_BYTES, rowBytes, type RowSource } from '../../tensors/rows';
import { describeShape, elementCount } from '../../tensors/shape';
import type { StreamOptions, TensorToWrite } from '../tensor-stream';
import { writeWholeFile, type WholeFile } from '../whole-file';

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

/** A tensor to be written; with `rows` it is copied or converted in pieces instead of being read whole. */
export interface SafetensorsToWrite extends TensorToWrite {
  readonly rows?: (() => RowSource | null) | undefined;
}

export interface SafetensorsOptions extends StreamOptions {
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Writes `tensors` in the order given, with `format: pt` as transformers expects. Answers the file's size.
 * Throws ShapeError if a tensor gives another number of values than its shape says; nothing is left then.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly SafetensorsToWrite[],
  options: SafetensorsOptions = {},
): Promise<number> {
  const pass: Pass = { piece: new ReusedMemory(), converted: new ReusedMemory(), converters: new Map(), options };
  return writeWholeFile(path, async (file) => {
    await file.write(encodeSafetensorsHeader(tensors, { format: 'pt', ...options.metadata }));
    for (const tensor of tensors) {
      throwIfCancelled(options.signal);
      const counts = noCounts();
      const rows = tensor.rows?.() ?? null;
      if (rows === null || rowBytes(rows) > ROWS_CHUNK_BYTES || rowBytes(rows) === 0) await writeWhole(file, tensor, counts, options);
      else await writeRows(file, tensor, rows, counts, pass);
      if (hasLosses(counts)) options.onRange?.({ tensor: tensor.name, ...counts });
      options.onBytes?.(file.position);
    }
  });
}

/** Values are encoded in pieces of this many, so that only one float32 copy of a tensor is in memory. */
const CHUNK_ELEMENTS = 1 << 20;

async function writeWhole(file: WholeFile, tensor: TensorToWrite, counts: RangeCounts, options: SafetensorsOptions): Promise<void> {
  const values = await tensor.read();
  requireCount(tensor, values.length);
  for (let at = 0; at < values.length; at += CHUNK_ELEMENTS) {
    throwIfCancelled(options.signal);
    await file.write(encodeInRange(tensor.type, values.subarray(at, at + CHUNK_ELEMENTS), counts));
  }
}

/**
 * Rows go from file to file in pieces of about this size. Pieces of 8 MB leave the processor's cache between reading and
 * writing, which takes two to three times the CPU time.
 */
const PIECE_BYTES = 2 * 1024 * 1024;

/** What all tensors of a file share: memory for pieces, and the converters between types, whose tables take a while to make. */
interface Pass {
  readonly piece: ReusedMemory;
  readonly converted: ReusedMemory;
  readonly converters: Map<string, ElementConverter>;
  readonly options: SafetensorsOptions;
}

function converterOf({ converters }: Pass, from: FloatType, to: WrittenType): ElementConverter {
  const key = `${from} to ${to}`;
  const converter = converters.get(key) ?? elementConverter(from, to);
  converters.set(key, converter);
  return converter;
}

/**
 * A piece is read, converted and written in turn, as a copy in the system's core does it: read ahead by another thread, each
 * piece waits for two to be woken, which on a busy machine takes longer than the piece itself.
 */
async function writeRows(file: WholeFile, tensor: TensorToWrite, rows: RowSource, counts: RangeCounts, pass: Pass): Promise<void> {
  requireCount(tensor, elementCount(rows.shape));
  const [count = 0] = rows.shape;
  const width = rowBytes(rows);
  const step = Math.max(1, Math.floor(PIECE_BYTES / width));
  const convert = converterOf(pass, rows.type, tensor.type);
  for (let at = 0; at < count; at += step) {
    await breathe(pass.options.signal);
    const piece = pass.piece.take(Math.min(step, count - at) * width);
    rows.readInto(piece, at);
    file.writeNow(convert(piece, counts, pass.converted));
  }
}

function requireCount(tensor: TensorToWrite, found: number): void {
  const expected = elementCount(tensor.shape);
  if (found === expected) return;
  throw new ShapeError(
    `Tensor ${tensor.name} should have ${expected} values for its shape ${describeShape(tensor.shape)} and has ${found}.`,
    { details: { tensor: tensor.name, expected: String(expected), actual: String(found) } },
  );
}
