/**
 * Reads a folder that `onnx-model` wrote: what its graph and settings say about sizes and number format, whether its
 * files are whole, and its weights one by one. The graph does not say which family's block it computes; runs nothing.
 */
import { join } from 'node:path';
import * as v from 'valibot';
import { ByteFile } from '../formats/byte-file';
import { isJsonObject, parseJsonObject, type JsonObject } from '../formats/json';
import { EXTERNAL_DATA, decodeProto, onnxTypes } from '../graph/onnx/schema';
import { LINEAR_ROLES, globalRoles, globalWeightShape, layerRoles, layerWeightShape, type LayerShape, type ModelConfig } from '../model/config';
import { Problems } from '../model/problems';
import { findSideFiles } from '../model/side-files';
import type { ModelView } from '../model/view';
import { FormatError, InternalError, NotFoundError, UnsupportedError } from '../support/errors';
import { decodePlain } from '../tensors/elements';
import type { Tensor32 } from '../tensors/handle';
import { elementCount } from '../tensors/shape';
import { GENAI_CONFIG } from './genai-config';
import { BLOCK, blockBytes, blocksOf, decodeRows } from './onnx-blocks';
import { ONNX_NAMES, layerName } from './onnx-graph';
import { ONNX_DATA, ONNX_MODEL } from './onnx-model';
import { ONNX_PRODUCER } from './onnx-nodes';
import type { OnnxFileType } from './onnx-types';

/** Our graphs hold no weights: a few hundred bytes a node. */
const MAX_GRAPH_BYTES = 64 * 1024 * 1024;
const MAX_SETTINGS_BYTES = 1024 * 1024;
const AGAIN = 'Write it once more from the model that it was made from, or copy the whole folder again.';

const tensorSchema = v.object({
  name: v.string(), dims: v.array(v.number()), dataType: v.number(), dataLocation: v.number(),
  externalData: v.array(v.object({ key: v.string(), value: v.string() })),
});
const outputSchema = v.object({
  name: v.string(),
  type: v.object({ tensorType: v.object({ shape: v.object({ dim: v.array(v.object({ dimValue: v.number() })) }) }) }),
});
const modelSchema = v.object({ producerName: v.string(), graph: v.object({ initializer: v.array(tensorSchema), output: v.array(outputSchema) }) });

/** A tensor in the data file. */
interface StoredPart {
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

/** An opened folder. Whoever opens it closes it. */
export interface OnnxFolder {
  readonly path: string;
  readonly type: OnnxFileType;
  readonly vocabulary: number;
  readonly hidden: number;
  readonly headDim: number;
  readonly layers: readonly LayerShape[];
  /** Tokens of the longest text. */
  readonly maxPositions: number;
  readonly eosIds: readonly number[];
  /** Tokenizer files and others that travel with a model: name to real path. */
  readonly sideFiles: ReadonlyMap<string, string>;
  /** Names of weights that a model of this configuration has and this one has not, or in another shape. */
  lacking(config: ModelConfig): string[];
  /** The weights as float32 for a configuration that lacks none; whether the head is tied, and which biases there are, is the folder's. */
  view(config: ModelConfig): ModelView;
  close(): Promise<void>;
}

/**
 * Opens the folder and looks at everything but the weights themselves.
 * @throws NotFoundError where a file of it is missing, FormatError where one is damaged, cut short or belongs to another
 * model, UnsupportedError for a model that another program wrote.
 */
export async function openOnnxFolder(folder: string): Promise<OnnxFolder> {
  const { parts, headDim } = readGraph(folder, await readSmall(folder, ONNX_MODEL, MAX_GRAPH_BYTES));
  const settings = parseJsonObject(await readSmall(folder, GENAI_CONFIG, MAX_SETTINGS_BYTES), join(folder, GENAI_CONFIG));
  const sizes = { headDim, ...readSizes(folder, parts, headDim) };
  const { maxPositions, eosIds } = checkSettings(folder, settings, sizes);
  const sideFiles = await findSideFiles(folder, new Problems());
  const file = await openPart(folder, ONNX_DATA);
  const expected = [...parts.values()].reduce((end, { offset, bytes }) => Math.max(end, offset + bytes), 0);
  if (file.sizeBytes !== expected) {
    await file.close();
    throw damaged(folder, `${ONNX_DATA} should have ${expected} bytes, which the weights that ${ONNX_MODEL} lists take, and has ${file.sizeBytes}`);
  }
  const own = (config: ModelConfig): ModelConfig => ({
    ...config,
    tied: !parts.has('head') && !parts.has('head.scales'),
    biases: new Set(LINEAR_ROLES.filter((role) => parts.has(`layers.0.${role}.bias`))),
  });
  return {
    path: folder, ...sizes, maxPositions, eosIds, sideFiles,
    lacking: (config) => weightsOf(own(config)).filter(([name, shape]) => !fits(parts, name, shape)).map(([name]) => name),
    view: (config) => {
      const resolved = own(config);
      return {
        config: resolved,
        readGlobal: (role) => readWeight(file, parts, role, globalWeightShape(resolved, role)),
        readLayer: (layer, role) => readWeight(file, parts, `layers.${layer}.${role}`, layerWeightShape(resolved, layer, role)),
      };
    },
    close: () => file.close(),
  };
}

async function readSmall(folder: string, name: string, most: number): Promise<Uint8Array> {
  const file = await openPart(folder, name);
  try {
    if (file.sizeBytes > most) throw foreign(folder, `${name} has ${file.sizeBytes} bytes, where those of this program have at most ${most}`);
    return await file.read(0, file.sizeBytes);
  } finally {
    await file.close();
  }
}

async function openPart(folder: string, name: string): Promise<ByteFile> {
  return ByteFile.open(join(folder, name)).catch((error: unknown) => {
    if (!(error instanceof NotFoundError)) throw error;
    throw new NotFoundError(`The ONNX model in ${folder} is incomplete: ${name} is missing or cannot be opened. Expected are ${ONNX_MODEL}, ${ONNX_DATA} and ${GENAI_CONFIG}.`, {
      cause: error, hint: AGAIN, details: { file: join(folder, name) },
    });
  });
}

function readGraph(folder: string, bytes: Uint8Array): { readonly parts: ReadonlyMap<string, StoredPart>; readonly headDim: number } {
  const { producerName, graph } = decode(folder, bytes);
  if (producerName !== ONNX_PRODUCER) throw foreign(folder, producerName === '' ? 'it does not say which program wrote it' : `it was written by ${producerName}`);
  const parts = new Map<string, StoredPart>();
  for (const { name, dims, dataType, dataLocation, externalData } of graph.initializer) {
    if (dataLocation !== EXTERNAL_DATA) continue;
    const entry = (key: string): string => externalData.find((one) => one.key === key)?.value ?? '';
    const [offset, length] = [Number(entry('offset')), Number(entry('length'))];
    if (entry('location') !== ONNX_DATA || !Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 1) {
      throw damaged(folder, `${ONNX_MODEL} does not say where in ${ONNX_DATA} the weights ${name} are`);
    }
    parts.set(name, { dataType, dims, offset, bytes: length });
  }
  const key = graph.output.find(({ name }) => name === layerName(ONNX_NAMES.presentKey, 0));
  const headDim = key?.type.tensorType.shape.dim[3]?.dimValue ?? 0;
  if (headDim < 1) throw damaged(folder, `${ONNX_MODEL} lists no keys of a first layer`);
  return { parts, headDim };
}

function decode(folder: string, bytes: Uint8Array): v.InferOutput<typeof modelSchema> {
  try {
    return v.parse(modelSchema, decodeProto('ModelProto', bytes));
  } catch (error) {
    throw damaged(folder, `${ONNX_MODEL} (${bytes.byteLength} bytes) is no ONNX model, or only a part of one`, error);
  }
}

type Sizes = Pick<OnnxFolder, 'type' | 'vocabulary' | 'hidden' | 'layers'>;

/** Sizes from the rows of matrices, which blocks leave as they are. */
function readSizes(folder: string, parts: ReadonlyMap<string, StoredPart>, headDim: number): Sizes {
  const rows = (name: string): number => (parts.get(name) ?? parts.get(`${name}.scales`))?.dims[0] ?? 0;
  const layers: LayerShape[] = [];
  for (let layer = 0; rows(`layers.${layer}.q`) > 0; layer++) {
    const [heads, kvHeads, ffn] = [rows(`layers.${layer}.q`) / headDim, rows(`layers.${layer}.k`) / headDim, rows(`layers.${layer}.up`)];
    layers.push({ heads, kvHeads, ffn });
  }
  const [vocabulary, hidden] = [rows('embedding'), rows('layers.0.o')];
  if (![vocabulary, hidden, ...layers.flatMap(({ heads, kvHeads, ffn }) => [heads, kvHeads, ffn])].every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw damaged(folder, `${ONNX_MODEL} does not list the weights of every part of a language model`);
  }
  const first = parts.get('layers.0.q');
  return { type: first === undefined ? 'INT4' : first.dataType === onnxTypes.float16 ? 'F16' : 'F32', vocabulary, hidden, layers };
}

function checkSettings(folder: string, settings: JsonObject, sizes: Sizes & { readonly headDim: number }): Pick<OnnxFolder, 'maxPositions' | 'eosIds'> {
  const model = isJsonObject(settings['model']) ? settings['model'] : {};
  const decoder = isJsonObject(model['decoder']) ? model['decoder'] : {};
  const settled: readonly (readonly [string, unknown, number])[] = [
    ['model.vocab_size', model['vocab_size'], sizes.vocabulary],
    ['model.decoder.hidden_size', decoder['hidden_size'], sizes.hidden],
    ['model.decoder.head_size', decoder['head_size'], sizes.headDim],
    ['model.decoder.num_hidden_layers', decoder['num_hidden_layers'], sizes.layers.length],
  ];
  const wrong = settled.filter(([, found, expected]) => found !== expected);
  if (wrong.length > 0) {
    throw damaged(folder, `${GENAI_CONFIG} does not belong to ${ONNX_MODEL}: ${wrong.map(([name, found, expected]) => `${name} is ${stated(found)} and should be ${expected}`).join('; ')}`);
  }
  const length = model['context_length'];
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 1) {
    throw damaged(folder, `${GENAI_CONFIG} states no length of texts: model.context_length is ${stated(length)} and should be a whole number of tokens`);
  }
  const ends: unknown = model['eos_token_id'];
  const listed: readonly unknown[] = Array.isArray(ends) ? ends : [ends];
  return { maxPositions: length, eosIds: listed.filter((id) => typeof id === 'number') };
}

function stated(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}

/** Every weight of a configuration by its name in the file, with its shape. */
function weightsOf(config: ModelConfig): (readonly [string, readonly number[]])[] {
  return [
    ...globalRoles(config).map((role) => [role, globalWeightShape(config, role)] as const),
    ...config.layers.flatMap((_, layer) => layerRoles(config).map((role) => [`layers.${layer}.${role}`, layerWeightShape(config, layer, role)] as const)),
  ];
}

/** Whether a weight is there, element by element or in blocks, with as many bytes as its shape takes. */
function fits(parts: ReadonlyMap<string, StoredPart>, name: string, shape: readonly number[]): boolean {
  const plain = parts.get(name);
  if (plain !== undefined) {
    return plain.dims.join() === shape.join() && plain.bytes === elementCount(shape) * (plain.dataType === onnxTypes.float16 ? 2 : 4);
  }
  const [rows = 0, width = 0] = shape;
  const blocks = blocksAt(parts, name);
  if (blocks === null || blocks.scales.dims.join() !== [rows, blocksOf(width)].join()) return false;
  const sizes = blockBytes(rows, width, blocks.bits);
  return blocks.numbers.bytes === sizes.numbers && blocks.scales.bytes === sizes.scales && (blocks.zeros?.bytes ?? 0) === sizes.zeros;
}

interface BlockParts {
  readonly bits: 4 | 8;
  readonly numbers: StoredPart;
  readonly scales: StoredPart;
  readonly zeros: StoredPart | undefined;
}

function blocksAt(parts: ReadonlyMap<string, StoredPart>, name: string): BlockParts | null {
  const numbers = parts.get(`${name}.blocks`) ?? parts.get(`${name}.blocks.rows`);
  const scales = parts.get(`${name}.scales`);
  const zeros = parts.get(`${name}.zeros`);
  return numbers === undefined || scales === undefined ? null : { bits: zeros === undefined ? 8 : 4, numbers, scales, zeros };
}

async function readWeight(file: ByteFile, parts: ReadonlyMap<string, StoredPart>, name: string, shape: readonly number[]): Promise<Tensor32> {
  const read = ({ offset, bytes }: StoredPart): Promise<Uint8Array<ArrayBuffer>> => file.read(offset, bytes);
  const plain = parts.get(name);
  if (plain !== undefined) {
    const data = new Float32Array(elementCount(shape));
    decodePlain(plain.dataType === onnxTypes.float16 ? 'F16' : 'F32', await read(plain), data, 0);
    return { shape, data };
  }
  const blocks = blocksAt(parts, name);
  if (blocks === null) throw new InternalError(`${file.path} has no weights ${name}.`);
  const { bits, numbers, scales, zeros } = blocks;
  const rows = { numbers: await read(numbers), scales: new Float32Array((await read(scales)).buffer), zeros: zeros === undefined ? new Uint8Array(0) : await read(zeros) };
  return { shape, data: decodeRows(rows, shape[1] ?? BLOCK, bits) };
}

function damaged(folder: string, what: string, cause?: unknown): FormatError {
  return new FormatError(`The ONNX model in ${folder} is damaged: ${what}.`, { hint: AGAIN, cause, details: { file: folder } });
}

function foreign(folder: string, what: string): UnsupportedError {
  return new UnsupportedError(`The ONNX model in ${folder} cannot be checked: ${what}, and only models that this program wrote are read.`, {
    hint: 'Choose a folder that was made with "export" or by a run of this program.',
    details: { feature: 'ONNX model', found: folder },
  });
}
