/**
 * Reads the header of a GGUF file (version 2 and 3) under limits and hands out its tensors; the data stays in the
 * file until asked for. Layout: github.com/ggml-org/ggml, docs/gguf.md.
 */
import { FormatError, UnsupportedError } from '../../support/errors';
import { describeShape, elementCount } from '../../tensors/shape';
import { ByteFile } from '../byte-file';
import { createStoredTensor, type StoredTensor } from '../stored-tensor';
import { GGUF_LAYOUTS, decodedType, ggufTypeName } from './blocks';
import { Cursor } from './cursor';
import type { GgufEntry, GgufMetadata, GgufValue } from './types';
import { readEntry, readText, toCount } from './values';

/** The bytes `GGUF` as a little-endian number. */
export const GGUF_MAGIC = 0x46554747;
const DEFAULT_ALIGNMENT = 32;
const MAX_ENTRIES = 65_536;
const MAX_TENSORS = 200_000;
const MAX_AXES = 4;
const MAX_KEY_BYTES = 65_535;

/** Which part of a split model a file is; `number` counts from 0. */
interface GgufPart {
  readonly number: number;
  readonly count: number;
}

/** An open GGUF file, or all files of a split model as one. */
export interface GgufFile {
  readonly path: string;
  /** All files that were opened, in the order of their parts. */
  readonly paths: readonly string[];
  /** Null where the file is whole. */
  readonly part: GgufPart | null;
  readonly version: number;
  /** Values with the types they have in the file, in file order. */
  readonly entries: ReadonlyMap<string, GgufEntry>;
  /** The same values alone. */
  readonly metadata: GgufMetadata;
  /** In file order. Shapes are row-major, so reversed against the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Bytes that have been read from it so far. */
  bytesRead(): number;
  close(): Promise<void>;
}

interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly typeName: string;
  readonly offset: number;
}

/** Opens one file, be it only a part, and checks its header against its length. Throws FormatError, UnsupportedError, NotFoundError. */
export async function openGguf(path: string): Promise<GgufFile> {
  const file = await ByteFile.open(path);
  try {
    return readHeader(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function readHeader(file: ByteFile): GgufFile {
  const cursor = new Cursor(file);
  const version = readVersion(cursor);
  const tensorCount = toCount(cursor, cursor.uint64(), MAX_TENSORS, 'tensors');
  const entryCount = toCount(cursor, cursor.uint64(), MAX_ENTRIES, 'metadata entries');

  const entries = new Map<string, GgufEntry>();
  for (let index = 0; index < entryCount; index++) {
    const key = readText(cursor, MAX_KEY_BYTES, 'a metadata key');
    if (entries.has(key)) throw refuse(cursor, `names the metadata ${JSON.stringify(key)} twice`);
    entries.set(key, readEntry(cursor, key));
  }
  const metadata = new Map<string, GgufValue>();
  for (const [key, { value }] of entries) metadata.set(key, value);
  const part = readPart(cursor, metadata);

  const alignment = readAlignment(cursor, entries.get('general.alignment'));
  const infos: TensorInfo[] = [];
  const names = new Set<string>();
  for (let index = 0; index < tensorCount; index++) {
    const info = readTensorInfo(cursor, alignment);
    if (names.has(info.name)) throw refuse(cursor, `names tensor ${JSON.stringify(info.name)} twice`);
    names.add(info.name);
    infos.push(info);
  }
  refuseUnknownTypes(file, infos);
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const tensors = placeTensors(cursor, infos, dataStart);
  return { path: file.path, paths: [file.path], part, version, entries, metadata, tensors, bytesRead: () => file.bytesRead, close: () => file.close() };
}

function readVersion(cursor: Cursor): number {
  const { file } = cursor;
  if (file.sizeBytes < 24) throw refuse(cursor, `is too short for a GGUF file: it has ${file.sizeBytes} bytes`);
  if (cursor.uint32() !== GGUF_MAGIC) throw refuse(cursor, 'is no GGUF file: it does not start with the letters GGUF');
  const version = cursor.uint32();
  if ((version & 0xffff) === 0 && version !== 0) {
    throw new UnsupportedError(`${file.name} is byte-swapped: it was written for big-endian machines.`, {
      hint: 'Convert it with llama.cpp (gguf_convert_endian.py), or get the ordinary little-endian file.',
      details: { feature: 'byte order', found: 'big-endian' },
    });
  }
  if (version !== 2 && version !== 3) {
    throw new UnsupportedError(`${file.name} is GGUF version ${version}; versions 2 and 3 are read.`, {
      hint: 'Convert the model again with a current llama.cpp.',
      details: { feature: 'GGUF version', found: version },
    });
  }
  return version;
}

function readAlignment(cursor: Cursor, entry: GgufEntry | undefined): number {
  if (entry === undefined) return DEFAULT_ALIGNMENT;
  const { type, value } = entry;
  const isPowerOfTwo = typeof value === 'number' && value > 0 && Number.isInteger(Math.log2(value));
  if (type !== 'uint32' || !isPowerOfTwo || value < 8) {
    const found = typeof value === 'number' ? value : type;
    throw refuse(cursor, `states the alignment ${found}; expected a power of two from 8 on`);
  }
  return value;
}

/** Files of a split model state which part they are. */
function readPart(cursor: Cursor, metadata: GgufMetadata): GgufPart | null {
  const count = metadata.get('split.count');
  const number = metadata.get('split.no');
  if (count === undefined || count === 0 || count === 1) return null;
  if (typeof count !== 'number' || typeof number !== 'number' || !(number >= 0 && number < count)) {
    throw refuse(cursor, `says that it is part ${typeof number === 'number' ? number + 1 : '?'} of ${typeof count === 'number' ? count : '?'} of a split model`);
  }
  return { number, count };
}

function readTensorInfo(cursor: Cursor, alignment: number): TensorInfo {
  const name = readText(cursor, MAX_KEY_BYTES, 'a tensor name');
  const where = `tensor ${JSON.stringify(name)}`;
  const axes = cursor.uint32();
  if (axes > MAX_AXES) throw refuse(cursor, `gives ${where} ${axes} axes; at most ${MAX_AXES} are allowed`);
  const shape: number[] = [];
  for (let axis = 0; axis < axes; axis++) {
    shape.unshift(toCount(cursor, cursor.uint64(), Number.MAX_SAFE_INTEGER, `elements along one axis of ${where}`));
  }
  const typeName = ggufTypeName(cursor.uint32());
  const offset = toCount(cursor, cursor.uint64(), Number.MAX_SAFE_INTEGER, `bytes before ${where}`);
  if (offset % alignment !== 0) {
    throw refuse(cursor, `puts ${where} at byte ${offset}, which is no multiple of the alignment ${alignment}`);
  }
  return { name, shape, typeName, offset };
}

function refuseUnknownTypes(file: ByteFile, infos: readonly TensorInfo[]): void {
  const counts = new Map<string, number>();
  for (const { typeName } of infos) {
    if (decodedType(typeName) === null) counts.set(typeName, (counts.get(typeName) ?? 0) + 1);
  }
  if (counts.size === 0) return;
  const found = [...counts].map(([type, count]) => `${type} (${count} tensors)`).join(', ');
  throw new UnsupportedError(`${file.name} stores tensors as ${found}, which this program does not read.`, {
    hint: `Get the model in an ordinary type: F16, BF16, Q8_0, or Q4_K_M and its like.`,
    details: { feature: 'element type', found },
  });
}

/** Checks that every tensor lies inside the file and none overlaps another, and makes the handles. */
function placeTensors(
  cursor: Cursor,
  infos: readonly TensorInfo[],
  dataStart: number,
): ReadonlyMap<string, StoredTensor> {
  const { file } = cursor;
  const tensors = new Map<string, StoredTensor>();
  for (const { name, shape, typeName, offset } of infos) {
    const type = decodedType(typeName);
    const layout = type === null ? undefined : GGUF_LAYOUTS[type];
    if (type === null || layout === undefined) continue;
    if (elementCount(shape) % layout.blockElements !== 0 || (shape.at(-1) ?? 1) % layout.blockElements !== 0) {
      throw refuse(
        cursor,
        `gives tensor ${JSON.stringify(name)} the shape ${describeShape(shape)}, whose rows are no whole blocks of ` +
          `${layout.blockElements} elements as ${type} needs`,
      );
    }
    tensors.set(name, createStoredTensor(file, name, type, shape, dataStart + offset, layout));
  }
  let covered = dataStart;
  for (const tensor of [...tensors.values()].sort((left, right) => left.offset - right.offset)) {
    if (tensor.sizeBytes === 0) continue;
    if (tensor.offset < covered) throw refuse(cursor, `lets tensor ${JSON.stringify(tensor.name)} overlap another one`);
    covered = tensor.offset + tensor.sizeBytes;
  }
  if (covered > file.sizeBytes && tensors.size > 0) {
    throw new FormatError(`${file.name} is cut short: ${covered - file.sizeBytes} bytes are missing at its end.`, {
      hint: 'Copy or download this file again.',
      details: { file: file.path, missingBytes: covered - file.sizeBytes },
    });
  }
  return tensors;
}

function refuse(cursor: Cursor, what: string): FormatError {
  return new FormatError(`${cursor.file.name} ${what}.`, {
    hint: 'The file is damaged or was written by a faulty program: copy or download it again.',
    details: { file: cursor.file.path, offset: cursor.position },
  });
}
