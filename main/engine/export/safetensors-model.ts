/** Writes a model as a Hugging Face folder: config.json, weights in one file or in shards, and what travels with them. */
import { join } from 'node:path';
import { encodeSafetensorsHeader, writeSafetensors, type SafetensorsToWrite } from '../formats/safetensors/writer';
import { requireDiskSpace, requireFreeTarget, writeWholeFile, writeWholeFolder } from '../formats/whole-file';
import { encodeJson, huggingfaceSideFiles } from '../model/carried-tokenizer';
import type { Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import type { TensorNames } from '../model/families/family';
import { storedWeights, writtenRows, writtenValues } from '../model/stored-weights';
import type { ModelView } from '../model/view';
import { PLAIN_TYPE_BYTES, type WrittenType } from '../tensors/elements';
import { describeRange, type RangeFinding } from '../tensors/range';
import { elementCount } from '../tensors/shape';
import { describeForHuggingface, encodeConfig } from './huggingface-config';
import type { WriteOptions, WrittenFile, WrittenModel } from './written';

/** The size at which weights are split into files, as the Hub recommends it. */
const SHARD_BYTES = 5_000_000_000;

export interface SafetensorsModelOptions extends WriteOptions<WrittenType> {
  /** Most bytes of weights in one file; a single larger tensor has a file of its own. */
  readonly shardBytes?: number;
}

/**
 * Writes `view` into `folder`, whole or not at all; what `view` does not know (tokenizer, licence, settings) comes
 * from `source`. Weights that can be read in rows are never in memory whole. Throws UnsupportedError for what the
 * format cannot state, ResourceError for a full disk, UsageError for a folder that is in use, CancelledError.
 */
export async function writeSafetensorsModel(
  view: ModelView,
  source: Checkpoint,
  folder: string,
  options: SafetensorsModelOptions,
): Promise<WrittenModel> {
  const { dtype, signal, onProgress } = options;
  const replace = options.replace ?? false;
  await requireFreeTarget(folder, replace);
  const { config, family, code } = describeForHuggingface(view.config, source, dtype);
  const shards = splitIntoShards(planTensors(view, family.huggingface.names, dtype), options.shardBytes ?? SHARD_BYTES);
  const small = new Map(await huggingfaceSideFiles(source));
  small.set('config.json', encodeConfig(config));
  if (code !== null) small.set(code.name, new TextEncoder().encode(code.text));
  if (shards.length > 1) small.set('model.safetensors.index.json', encodeJson(shardIndex(shards)));

  const headerBytes = shards.reduce((sum, { tensors }) => sum + encodeSafetensorsHeader(tensors, { format: 'pt' }).byteLength, 0);
  const total = headerBytes + shards.reduce((sum, { tensors }) => sum + dataBytes(tensors), 0);
  const smallBytes = [...small.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
  await requireDiskSpace(folder, total + smallBytes);

  const files: WrittenFile[] = [];
  const findings: RangeFinding[] = [];
  await writeWholeFolder(folder, replace, async (temporary) => {
    for (const [name, bytes] of small) {
      const sizeBytes = await writeWholeFile(join(temporary, name), (file) => file.write(bytes));
      files.push({ path: join(folder, name), sizeBytes });
    }
    let before = 0;
    for (const { name, tensors } of shards) {
      const start = before;
      const sizeBytes = await writeSafetensors(join(temporary, name), tensors, {
        signal,
        onBytes: (done) => onProgress?.({ done: start + done, total }),
        onRange: (finding) => findings.push(finding),
      });
      before += sizeBytes;
      files.push({ path: join(folder, name), sizeBytes });
    }
  });
  return { files, notes: describeRange(dtype, findings) };
}

interface Shard {
  readonly name: string;
  readonly tensors: readonly SafetensorsToWrite[];
}

/** Tensors in their order, as many in a file as fit; names as transformers gives them. */
function splitIntoShards(tensors: readonly SafetensorsToWrite[], shardBytes: number): Shard[] {
  const groups: SafetensorsToWrite[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    const size = dataBytes([tensor]);
    if (bytes > 0 && bytes + size > shardBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(tensor);
    bytes += size;
  }
  const number = (value: number): string => String(value).padStart(5, '0');
  return groups.map((group, index) => ({
    name: groups.length === 1 ? 'model.safetensors' : `model-${number(index + 1)}-of-${number(groups.length)}.safetensors`,
    tensors: group,
  }));
}

function shardIndex(shards: readonly Shard[]): object {
  const all = shards.flatMap(({ tensors }) => tensors);
  const weights = shards.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor.name, name] as const));
  return {
    metadata: { total_parameters: all.reduce((sum, { shape }) => sum + elementCount(shape), 0), total_size: dataBytes(all) },
    weight_map: Object.fromEntries(weights.sort(([left], [right]) => (left < right ? -1 : 1))),
  };
}

function dataBytes(tensors: readonly SafetensorsToWrite[]): number {
  return tensors.reduce((sum, { shape, type }) => sum + elementCount(shape) * PLAIN_TYPE_BYTES[type], 0);
}

/** Throws UnsupportedError when a model of this configuration and source's tokenizer has no form as a Hugging Face folder; writes nothing. */
export async function requireSafetensorsForm(config: ModelConfig, source: Checkpoint, dtype: WrittenType): Promise<void> {
  describeForHuggingface(config, source, dtype);
  await huggingfaceSideFiles(source);
}

/** All weights, as a folder of the family holds them. */
function planTensors(view: ModelView, names: TensorNames, type: WrittenType): SafetensorsToWrite[] {
  return storedWeights(view.config, names).map((weight) => ({
    name: weight.name,
    type,
    shape: weight.shape,
    read: () => writtenValues(view, names, weight),
    rows: () => writtenRows(view, names, weight),
  }));
}
