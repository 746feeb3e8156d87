/** Writes a model as one GGUF file that llama.cpp and the programs built on it open. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { inferEntry } from '../formats/gguf/value-writer';
import type { GgufEntry, GgufValue } from '../formats/gguf/types';
import { encodeGgufHeader, ggufTensorBytes, writeGguf, type GgufTensorToWrite } from '../formats/gguf/writer';
import { requireDiskSpace, requireFreeTarget } from '../formats/whole-file';
import { ggufTokenizerEntries } from '../model/carried-tokenizer';
import type { Checkpoint } from '../model/checkpoint';
import type { LayerRole, ModelConfig } from '../model/config';
import { blockKind, rotaryWidthOf } from '../model/design';
import type { Family } from '../model/families/family';
import { FAMILIES, computesTheSame, familyNamed, isUniform, perLayerGgufFor } from '../model/families/index';
import { ROPE_FACTORS_NAME } from '../model/gguf-config';
import { frequencyFactors, ggufYarn, uniformFactor } from '../model/rope';
import { hasRotaryRows, toInterleaved } from '../model/rotary-rows';
import { storedWeights, writtenValues } from '../model/stored-weights';
import type { ModelView } from '../model/view';
import { UnsupportedError } from '../support/errors';
import type { Tensor32 } from '../tensors/handle';
import { describeRange, type RangeFinding } from '../tensors/range';
import { describeFallbacks, fileTypeNumber, globalType, isQuantised, layerType, type GgufFileType } from './gguf-types';
import type { WriteOptions, WrittenModel } from './written';

/** Form of the block types; it has not changed since 2023 (ggml.h, GGML_QNT_VERSION). */
const QUANTIZATION_VERSION = 2;
/** Entries of a source that describe its file instead of the model. */
const FILE_ENTRIES = new Set([
  'general.architecture', 'general.file_type', 'general.quantization_version', 'general.size_label', 'general.alignment',
]);

/**
 * Writes `view` into the file `path`, whole or not at all; tokenizer and descriptions come from `source`. Matrices
 * take the types of the file type `dtype`, vectors stay F32; matrices that had to get another type are told in the notes.
 * Throws UnsupportedError for what the format cannot state, ResourceError for a full disk, UsageError if there is
 * something at `path`, CancelledError.
 */
export async function writeGgufModel(
  view: ModelView,
  source: Checkpoint,
  path: string,
  options: WriteOptions<GgufFileType>,
): Promise<WrittenModel> {
  const { dtype, signal, onProgress } = options;
  await requireFreeTarget(path, options.replace ?? false);
  const target = chooseTarget(view.config);
  const entries = new Map<string, GgufEntry>([
    ...describeGeneral(source, target.architecture, dtype),
    ...describeModel(view.config, target),
    ...(await ggufTokenizerEntries(source, view.config.vocabulary)),
  ]);
  const tensors = planTensors(view, target.family, dtype);
  const total =
    encodeGgufHeader(entries, tensors).byteLength +
    tensors.reduce((sum, tensor) => sum + ggufTensorBytes(tensor), 0);
  await requireDiskSpace(path, total);
  await mkdir(dirname(path), { recursive: true });
  const findings: RangeFinding[] = [];
  const sizeBytes = await writeGguf(path, entries, tensors, {
    signal,
    onBytes: (done) => onProgress?.({ done, total }),
    onRange: (finding) => findings.push(finding),
  });
  // Only types whose elements stand alone lose values: F16 and BF16, F16 also where nothing else fits.
  const range = describeRange(dtype === 'BF16' || dtype === 'F32' ? dtype : 'F16', findings);
  return { files: [{ path, sizeBytes }], notes: [...describeFallbacks(view.config, dtype), ...range, ...describeWindows(view.config, target.family)] };
}

/** A sentence for people where readers of the file look back further than the model was trained to. */
function describeWindows({ design }: ModelConfig, { gguf }: Family): string[] {
  const window = Math.max(0, ...design.windows);
  if (window === 0 || gguf.windowPattern !== null) return [];
  return [`GGUF programs let this model look back further than the ${window} tokens of its sliding window; up to ${window} tokens the answers are the same.`];
}

/** Throws UnsupportedError when a model of this configuration and source's tokenizer cannot be stated in GGUF; writes nothing. */
export async function requireGgufForm(config: ModelConfig, source: Checkpoint): Promise<void> {
  chooseTarget(config);
  await ggufTokenizerEntries(source, config.vocabulary);
}

interface Target {
  readonly architecture: string;
  /** Whose names and row order the architecture uses. */
  readonly family: Family;
}

/** The model's own architecture if that can state it, else another of the same mathematics. */
function chooseTarget(config: ModelConfig): Target {
  const own = familyNamed(config.family);
  if (!isUniform(config)) {
    const perLayer = perLayerGgufFor(config);
    if (perLayer !== null) return perLayer;
    throw new UnsupportedError(`Programs that read GGUF files know no widths per layer for ${own.title}${config.tied || config.design.qkNorm !== 'head' ? '' : ' with an output head of its own'}.`, {
      hint: 'Choose "opens everywhere", which gives all layers the same widths, or export as safetensors.',
      details: { feature: 'per-layer widths', found: own.name },
    });
  }
  const needsFactors = ggufYarn(config.rope, config.maxPositions) === null && uniformFactor(frequencyFactors(config.rope)) === null;
  const fillsHidden = config.layers.every((layer) => layer.heads * config.headDim === config.hidden);
  const holds = (family: Family): boolean =>
    (family === own ? statesDesign(family, config) : computesTheSame(family, config)) &&
    [...config.biases].every((role) => family.gguf.biases.includes(role)) &&
    (!needsFactors || family.gguf.readsRopeFactors) &&
    (fillsHidden || family.gguf.readsHeadDim);
  const family = [own, ...FAMILIES].find(holds);
  if (family === undefined) {
    throw new UnsupportedError(`No GGUF architecture has the biases, rotary factors, head widths, windows and scales of this ${own.title} model.`, {
      hint: 'Export as safetensors instead.',
      details: { feature: 'architecture', found: own.name, biases: [...config.biases] },
    });
  }
  return { architecture: family.gguf.architecture, family };
}

/** Whether a file of the model's own architecture says, or its readers assume, what this model computes. */
function statesDesign({ design: usual, gguf }: Family, { design, headDim, hidden, layers }: ModelConfig): boolean {
  const assumed = layers.length === gguf.scaledByHiddenAt ? (hidden / (layers[0]?.heads ?? 1)) ** -0.5 : headDim ** -0.5;
  const scale = design.attentionScale ?? headDim ** -0.5;
  const parallel = gguf.statesParallel ? usual.parallel : design.parallel;
  const { windowPattern: pattern } = gguf;
  const hasWindows = pattern === null || design.windows.every((window, layer) => (window === 0) === ((layer + 1) % pattern === 0));
  return blockKind({ ...design, parallel }) === blockKind(usual) && Math.abs(scale / assumed - 1) < 1e-6 && hasWindows;
}

function describeGeneral(
  source: Checkpoint,
  architecture: string,
  dtype: GgufFileType,
): ReadonlyMap<string, GgufEntry> {
  const entries = new Map<string, GgufEntry>([['general.architecture', inferEntry(architecture)]]);
  if (source.metadata.kind === 'gguf') {
    for (const [key, entry] of source.metadata.entries) {
      if (key.startsWith('general.') && !FILE_ENTRIES.has(key)) entries.set(key, entry);
    }
  } else {
    entries.set('general.type', inferEntry('model'));
    entries.set('general.name', inferEntry(source.name));
    // A licence file's name is no licence: only a stated one goes in.
    if (source.licence !== 'unknown' && !source.sideFiles.has(source.licence)) {
      entries.set('general.license', inferEntry(source.licence));
    }
  }
  entries.set('general.file_type', inferEntry(fileTypeNumber(dtype)));
  if (isQuantised(dtype)) entries.set('general.quantization_version', inferEntry(QUANTIZATION_VERSION));
  return entries;
}

function describeModel(config: ModelConfig, target: Target): ReadonlyMap<string, GgufEntry> {
  const entries = new Map<string, GgufEntry>();
  const put = (key: string, value: GgufValue): void => void entries.set(`${target.architecture}.${key}`, inferEntry(value));
  const putFloat = (key: string, value: number): void =>
    void entries.set(`${target.architecture}.${key}`, { type: 'float32', value });
  const widths = (values: readonly number[]): GgufValue => (isUniform(config) ? (values[0] ?? 0) : Int32Array.from(values));

  put('vocab_size', config.vocabulary);
  put('context_length', config.maxPositions);
  put('embedding_length', config.hidden);
  put('block_count', config.layers.length);
  put('feed_forward_length', widths(config.layers.map((layer) => layer.ffn)));
  put('attention.head_count', widths(config.layers.map((layer) => layer.heads)));
  put('attention.head_count_kv', widths(config.layers.map((layer) => layer.kvHeads)));
  // Always stated: readers otherwise divide the hidden width by the head count, which pruning makes wrong.
  put('attention.key_length', config.headDim);
  put('attention.value_length', config.headDim);
  putFloat(config.design.norm === 'rms' ? 'attention.layer_norm_rms_epsilon' : 'attention.layer_norm_epsilon', config.rmsEpsilon);
  describeDesign(config, target.family, put, putFloat);
  if (config.design.learnedPositions) return entries;
  put('rope.dimension_count', rotaryWidthOf(config.design, config.headDim));
  putFloat('rope.freq_base', config.rope.theta);
  const stretch = uniformFactor(frequencyFactors(config.rope)) ?? 1;
  const yarn = ggufYarn(config.rope, config.maxPositions);
  if (yarn !== null) {
    put('rope.scaling.type', 'yarn');
    putFloat('rope.scaling.factor', yarn.factor);
    put('rope.scaling.original_context_length', yarn.originalContext);
    if (yarn.attentionFactor !== 1) putFloat('rope.scaling.attn_factor', yarn.attentionFactor);
  } else if (stretch !== 1) {
    put('rope.scaling.type', 'linear');
    putFloat('rope.scaling.factor', stretch);
  }
  return entries;
}

/** What readers of the architecture want to know of the blocks. */
function describeDesign(
  { design }: ModelConfig,
  { gguf }: Family,
  put: (key: string, value: GgufValue) => void,
  putFloat: (key: string, value: number) => void,
): void {
  const window = design.windows.find((positions) => positions > 0);
  if (window !== undefined && gguf.windowPattern !== null) put('attention.sliding_window', window);
  if (design.localRope !== null) putFloat('rope.freq_base_swa', design.localRope.theta);
  if (gguf.caps !== null && design.attentionCap !== null) putFloat('attn_logit_softcapping', design.attentionCap);
  if (gguf.caps !== null && design.logitCap !== null) putFloat('final_logit_softcapping', design.logitCap);
  if (gguf.statesParallel) put('use_parallel_residual', design.parallel);
}

/** All weights in the order embedding, rotary factors, layers, final norm, head. */
function planTensors(view: ModelView, { gguf }: Family, dtype: GgufFileType): GgufTensorToWrite[] {
  const { config } = view;
  const weights = storedWeights(config, gguf.names).map((weight): GgufTensorToWrite => {
    const { of, name, shape } = weight;
    const type = of.layer === null ? globalType(config, of.role, dtype) : layerType(config, of.layer, of.roles[0] ?? 'q', dtype);
    return { name, type: type.type, shape, read: () => writtenValues(view, gguf.names, weight, (role, tensor) => inRowOrder(gguf, config, role, tensor)) };
  });
  const factors = frequencyFactors(config.rope);
  const rotary: GgufTensorToWrite[] =
    uniformFactor(factors) !== null || ggufYarn(config.rope, config.maxPositions) !== null
      ? []
      : [{ name: ROPE_FACTORS_NAME, type: 'F32', shape: [factors.length], read: () => Promise.resolve(Float32Array.from(factors)) }];
  return [...weights.slice(0, 1), ...rotary, ...weights.slice(1)];
}

function inRowOrder({ rotaryRows }: Family['gguf'], config: ModelConfig, role: LayerRole, { data, shape }: Tensor32): Float32Array {
  return rotaryRows === 'interleaved' && hasRotaryRows(role) ? toInterleaved(data, config.headDim, shape[1] ?? 1) : data;
}
