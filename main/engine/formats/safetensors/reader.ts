/**
 * Reads the header of a safetensors file under limits and hands out its tensors; the data stays in the file until
 * asked for. Layout: 8 bytes header length, a JSON header, then the data without holes
 * (github.com/huggingface/safetensors, README "Format").
 */
import { FormatError, UnsupportedError } from '../../support/errors';
import { PLAIN_TYPE_BYTES, decodePlain, requirePlainType, type PlainType } from '../../tensors/elements';
import { describeShape, elementCount } from '../../tensors/shape';
import { ByteFile } from '../byte-file';
import { findDuplicateKey, isJsonObject, parseJsonObject } from '../json';
import { createStoredTensor, type StoredTensor } from '../stored-tensor';

/** The format's own bound on the header. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_TENSORS = 200_000;
const MAX_AXES = 16;

/** An open safetensors file. */
export interface SafetensorsFile {
  readonly path: string;
  /** Free text entries of `__metadata__`; empty when absent. */
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Bytes that have been read from it so far. */
  bytesRead(): number;
  close(): Promise<void>;
}

interface HeaderEntry {
  readonly name: string;
  readonly type: PlainType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Opens a file and checks its header against its length. Throws FormatError, UnsupportedError, NotFoundError. */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await ByteFile.open(path);
  try {
    return await readHeader(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readHeader(file: ByteFile): Promise<SafetensorsFile> {
  if (file.sizeBytes < 8) {
    throw refuse(file, 0, `is too short for a safetensors file: it has ${file.sizeBytes} bytes, at least 8 are needed`);
  }
  const lengthBytes = await file.read(0, 8);
  const stated = new DataView(lengthBytes.buffer).getBigUint64(0, true);
  if (stated > BigInt(MAX_HEADER_BYTES)) {
    throw refuse(file, 0, `states a header of ${stated} bytes, more than the ${MAX_HEADER_BYTES} that the format allows; it is probably no safetensors file`);
  }
  const headerBytes = Number(stated);
  const dataStart = 8 + headerBytes;
  if (dataStart > file.sizeBytes) {
    throw refuse(file, 0, `is cut short: its header should be ${headerBytes} bytes and ${dataStart - file.sizeBytes} bytes of it are missing`);
  }
  const bytes = await file.read(8, headerBytes);
  const header = parseJsonObject(bytes, `The header of ${file.name}`);
  const duplicate = findDuplicateKey(new TextDecoder().decode(bytes));
  if (duplicate !== null) throw refuse(file, 8, `names ${JSON.stringify(duplicate)} twice in its header`);

  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  if (names.length > MAX_TENSORS) throw refuse(file, 8, `holds ${names.length} tensors; at most ${MAX_TENSORS} are read`);
  const entries = names.map((name) => readEntry(file, name, header[name]));
  entries.sort((left, right) => left.begin - right.begin || left.end - right.end);
  checkCoverage(file, entries, file.sizeBytes - dataStart);

  const tensors = new Map<string, StoredTensor>();
  for (const { name, type, shape, begin } of entries) {
    const layout = {
      blockElements: 1,
      blockBytes: PLAIN_TYPE_BYTES[type],
      decode: (piece: Uint8Array, target: Float32Array, at: number): void => decodePlain(type, piece, target, at),
    };
    tensors.set(name, createStoredTensor(file, name, type, shape, dataStart + begin, layout));
  }
  return { path: file.path, metadata: readMetadata(file, header['__metadata__']), tensors, bytesRead: () => file.bytesRead, close: () => file.close() };
}

function readEntry(file: ByteFile, name: string, value: unknown): HeaderEntry {
  const where = `tensor ${JSON.stringify(name)}`;
  if (!isJsonObject(value)) throw refuse(file, 8, `describes ${where} by something that is no JSON object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string') throw refuse(file, 8, `gives ${where} no dtype`);
  const type = requirePlainType(dtype, `In ${file.name}, ${where}`);
  if (!isSizeList(shape) || shape.length > MAX_AXES) throw refuse(file, 8, `gives ${where} no valid shape`);
  if (!isSizeList(offsets) || offsets.length !== 2) throw refuse(file, 8, `gives ${where} no valid data_offsets`);
  const [begin = 0, end = 0] = offsets;
  const needed = elementCount(shape) * PLAIN_TYPE_BYTES[type];
  if (end - begin !== needed) {
    throw refuse(
      file,
      8,
      `gives ${where} ${end - begin} bytes, but its shape ${describeShape(shape)} in ${type} needs ${needed} bytes`,
    );
  }
  return { name, type, shape, begin, end };
}

/** The data must be covered exactly once, from its first byte to its last. */
function checkCoverage(file: ByteFile, entries: readonly HeaderEntry[], dataBytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin < covered) throw refuse(file, 8, `lets tensor ${JSON.stringify(name)} overlap another one`);
    if (begin > covered) throw refuse(file, 8, `leaves ${begin - covered} bytes unused before tensor ${JSON.stringify(name)}`);
    covered = end;
  }
  if (covered > dataBytes) {
    throw new FormatError(`${file.name} is cut short: ${covered - dataBytes} bytes are missing at its end.`, {
      hint: 'Copy or download this file again.',
      details: { file: file.path, missingBytes: covered - dataBytes },
    });
  }
  if (covered < dataBytes) {
    throw refuse(file, 8, `has ${dataBytes - covered} bytes after its last tensor that belong to nothing`);
  }
}

function readMetadata(file: ByteFile, value: unknown): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined || value === null) return metadata;
  if (!isJsonObject(value)) throw refuse(file, 8, 'has a __metadata__ that is no JSON object');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new UnsupportedError(`${file.name} holds the metadata ${JSON.stringify(key)} that is not text.`, {
        details: { feature: '__metadata__', found: typeof text },
      });
    }
    metadata.set(key, text);
  }
  return metadata;
}

function isSizeList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function refuse(file: ByteFile, offset: number, what: string): FormatError {
  return new FormatError(`${file.name} ${what}.`, {
    hint: 'The file is damaged or was written by a faulty program: copy or download it again.',
    details: { file: file.path, offset },
  });
}
