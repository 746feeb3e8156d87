/**
 * An opened model: where its files are, what they say, and its weights by role on demand. Opening reads headers
 * only and reports everything that is wrong at once; code and pickles in a model's folder are never run or read.
 */
import type { Inspection, Problem } from '../../../preload/contract/model';
import type { StoredTensor } from '../formats/stored-tensor';
import { InternalError } from '../support/errors';
import type { StoredType, Tensor32 } from '../tensors/handle';
import { countLinearParameters, countParameters, layerWeightShape, linearRoles, linearShape, type GlobalRole, type LayerRole, type LinearRole, type ModelConfig } from './config';
import type { DeclaredModel } from './declared';
import { examineModel, type CheckpointMetadata, type Examined } from './examine';
import { globalName } from './families/index';
import { isIgnoredName } from './match-tensors';
import { hasRotaryRows, makeHalfSplit } from './rotary-rows';
import { compareVocabularies, summariseGgufTokenizer, summariseTokenizerFiles, tellMissingTokenizer } from './side-files';
import { isStoredLessOne, readStored, rowsOf, storedName, storedRows } from './stored-weights';
import type { ModelView } from './view';

export type { CheckpointMetadata } from './examine';

/**
 * A model on disk. Weights come as float32 with rotary rows in Hugging Face's half-split order whatever the file
 * stores; each read costs one pass over that tensor.
 */
export interface Checkpoint extends ModelView {
  /** The folder (Hugging Face) or file (GGUF), with symbolic links resolved. */
  readonly path: string;
  /** Folder or file name as the user gave it. */
  readonly name: string;
  readonly kind: 'huggingface' | 'gguf';
  readonly metadata: CheckpointMetadata;
  /** Warnings only: errors prevent opening. */
  readonly problems: readonly Problem[];
  /** Bytes of the weights as stored. */
  readonly sizeBytes: number;
  /** Element types and the bytes stored in each, largest first. */
  readonly storedTypes: ReadonlyMap<StoredType, number>;
  /** The element type of each weight as stored. */
  readonly weightTypes: { global(role: GlobalRole): StoredType; layer(layer: number, role: LayerRole): StoredType; readonly scalesLessOne: boolean };
  /** Real paths of the files that hold its weights. */
  readonly weightFiles: readonly string[];
  /** Files that travel with a model (tokenizer.json, LICENSE, ...): name to real path. Empty for GGUF. */
  readonly sideFiles: ReadonlyMap<string, string>;
  /** SPDX name or the licence file's name; `unknown` when the model says nothing. */
  readonly licence: string;
  /** Bytes that have been read from the files of its weights since they were opened, headers included. */
  bytesRead(): number;
  /** Closes its files. Reads fail afterwards. */
  close(): Promise<void>;
}

/**
 * Opens a Hugging Face folder, a file of one (config.json, a shard, the index) or a `.gguf` file.
 * Throws NotFoundError, FormatError or UnsupportedError whose message lists all problems.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const examined = await examineModel(path);
  try {
    const { location, problems, model } = examined;
    problems.throwErrors(location.name, location.path);
    if (model === null) throw new InternalError(`${location.path} has no errors and no model.`);
    return createCheckpoint(examined, model.declared, model.config);
  } catch (error) {
    await examined.close();
    throw error;
  }
}

function createCheckpoint(examined: Examined, declared: DeclaredModel, config: ModelConfig): Checkpoint {
  const { location, metadata, problems, tensors, sideFiles, licence } = examined;
  const { names } = declared;
  const isInterleaved = declared.rotaryRows === 'interleaved';
  const find = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new InternalError(`The model ${location.path} has no tensor ${name}.`);
    return tensor;
  };
  const findGlobal = (role: GlobalRole): StoredTensor => find(globalName(names, role === 'head' && config.tied ? 'embedding' : role));
  const holding = (layer: number, role: LayerRole): StoredTensor => find(storedName(names, layer, role) ?? role);
  const { sizeBytes, storedTypes } = weigh(tensors);
  return {
    config,
    path: location.path,
    name: location.name,
    kind: location.kind,
    metadata,
    problems: problems.all,
    sizeBytes,
    storedTypes,
    weightTypes: {
      scalesLessOne: names.scalesLessOne === true,
      global: (role) => findGlobal(role).storedType,
      layer: (layer, role) => holding(layer, role).storedType,
    },
    weightFiles: examined.weightFiles,
    sideFiles,
    licence,
    async readGlobal(role): Promise<Tensor32> {
      const tensor = findGlobal(role);
      const data = await tensor.readFloat32();
      if (isStoredLessOne(names, role)) data.forEach((value, at) => (data[at] = value + 1));
      return { shape: tensor.shape, data };
    },
    async readLayer(layer, role, into): Promise<Tensor32> {
      const shape = layerWeightShape(config, layer, role);
      const data = await readStored(config, names, layer, role, holding(layer, role), into);
      if (isInterleaved && hasRotaryRows(role)) makeHalfSplit(data, config.headDim, shape[1] ?? 1);
      return { shape, data };
    },
    globalRows: (role) => (isStoredLessOne(names, role) ? null : rowsOf(findGlobal(role))),
    layerRows: (layer, role) => (isInterleaved && hasRotaryRows(role) ? null : storedRows(config, names, layer, role, holding(layer, role))),
    bytesRead: () => examined.bytesRead(),
    close: () => examined.close(),
  };
}

/**
 * The same look at a model, with its problems as data instead of an error.
 * Throws NotFoundError, FormatError or UnsupportedError only if what is at `path` is no model at all.
 */
export async function inspectCheckpoint(path: string): Promise<Inspection> {
  const examined = await examineModel(path);
  try {
    const { location, metadata, problems, tensors, sideFiles, licence, model } = examined;
    const tokenizer =
      metadata.kind === 'gguf'
        ? summariseGgufTokenizer(metadata.entries)
        : await summariseTokenizerFiles(sideFiles, problems);
    const config = model?.config ?? null;
    if (config !== null) compareVocabularies(tokenizer, config.vocabulary, problems);
    if (tokenizer.kind === 'none') tellMissingTokenizer(sideFiles, problems);
    const { sizeBytes, storedTypes } = weigh(tensors);
    const [first] = config?.layers ?? [];
    return {
      path: location.path,
      name: location.name,
      kind: location.kind,
      family: config?.family ?? '',
      parameters: config === null ? 0 : countParameters(config),
      linearParameters: config === null ? 0 : countLinearParameters(config),
      embeddingParameters: config === null ? 0 : config.vocabulary * config.hidden,
      headParameters: config === null || config.tied ? 0 : config.vocabulary * config.hidden,
      bytes: sizeBytes,
      layers: config?.layers.length ?? 0,
      hidden: config?.hidden ?? 0,
      heads: first?.heads ?? 0,
      kvHeads: first?.kvHeads ?? 0,
      headDim: config?.headDim ?? 0,
      ffn: first?.ffn ?? 0,
      vocabulary: config?.vocabulary ?? 0,
      contextLength: config?.maxPositions ?? 0,
      dtype: [...storedTypes.keys()][0] ?? '',
      tied: config?.tied ?? false,
      tokenizer: tokenizer.kind,
      hasChatTemplate: tokenizer.hasChatTemplate,
      licence,
      perLayer: config === null ? [] : config.layers.map((_, layer) => summariseLayer(config, layer)),
      problems: [...problems.all],
    };
  } finally {
    await examined.close();
  }
}

function summariseLayer(config: ModelConfig, layer: number): Inspection['perLayer'][number] {
  const shape = config.layers[layer] ?? { heads: 0, kvHeads: 0, ffn: 0 };
  const sum = (roles: readonly LinearRole[]): number =>
    roles.reduce((total, role) => {
      const [out, input] = linearShape(config, shape, role);
      return total + out * input;
    }, 0);
  const attentionParameters = sum(['q', 'k', 'v', 'o']);
  const parameters = sum(linearRoles(config));
  return { ...shape, parameters, attentionParameters, mlpParameters: parameters - attentionParameters };
}

/** Bytes of the weights in all and by stored type, largest first. */
function weigh(tensors: ReadonlyMap<string, StoredTensor>): Pick<Checkpoint, 'sizeBytes' | 'storedTypes'> {
  const bytes = new Map<StoredType, number>();
  let sizeBytes = 0;
  for (const [name, tensor] of tensors) {
    if (isIgnoredName(name)) continue;
    sizeBytes += tensor.sizeBytes;
    bytes.set(tensor.storedType, (bytes.get(tensor.storedType) ?? 0) + tensor.sizeBytes);
  }
  return { sizeBytes, storedTypes: new Map([...bytes].sort((left, right) => right[1] - left[1])) };
}
