/** A model ready to compute with its tokenizer, for those who use it outside a run. */
import { Executor } from '../execution/executor';
import { loadModel, streamModel, type ExecutableModel, type StreamedModel } from '../execution/loaded-model';
import { loadWritingModel, type TextModel, type WritingModel } from '../execution/text-model';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint';
import { countLinearParameters, countParameters, type ModelConfig } from '../model/config';
import { ResourceError } from '../support/errors';
import type { OnProgress } from '../support/progress';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { loadCheckpointTokenizer } from './checkpoint-tokenizer';
import { availableMemoryBytes } from './machine';

export interface UsableModel<Model = ExecutableModel> {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** Ids that end a text, from every file that names one. */
  readonly eosIds: readonly number[];
  /** Lets the model's files go. */
  close(): Promise<void>;
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Room beside the weights for the runtime, a batch's hidden states and the logits of some tokens. */
const WORKING_BYTES = 400e6;

/**
 * Opens a model with its tokenizer. Its weights are loaded where they fit into memory; else its layers are read from
 * the file each time, which is slower and needs memory for one of them.
 * @throws ResourceError before anything is read when not even that fits.
 */
export async function loadUsableModel(path: string, options: LoadOptions = {}): Promise<UsableModel> {
  return loadWith(loadModel, path, options);
}

/** As `loadUsableModel`, for writing text alone. */
export async function loadUsableWriter(path: string, options: LoadOptions = {}): Promise<UsableModel<TextModel>> {
  return loadWith<WritingModel>(loadWritingModel, path, options);
}

async function loadWith<Model>(
  load: (checkpoint: Checkpoint, options: { signal?: AbortSignal; onProgress?: OnProgress }) => Promise<Model>,
  path: string,
  options: LoadOptions,
): Promise<UsableModel<Model | StreamedModel>> {
  const checkpoint = await openCheckpoint(path);
  try {
    const tokenizer = await loadCheckpointTokenizer(checkpoint);
    const eosIds = [...new Set([...checkpoint.config.eosIds, ...tokenizer.eosIds])];
    const availableBytes = availableMemoryBytes() - WORKING_BYTES;
    if (4 * countParameters(checkpoint.config) <= availableBytes) {
      const { signal, onProgress } = options;
      const model = await load(checkpoint, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
      await checkpoint.close();
      return { model, tokenizer, eosIds, close: () => Promise.resolve() };
    }
    requireStreamingMemory(checkpoint.config, availableBytes);
    return { model: await streamModel(checkpoint), tokenizer, eosIds, close: () => checkpoint.close() };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

/** Opens a model for `work` and lets it go afterwards. */
export function withUsableModel<Value>(path: string, options: LoadOptions, work: (usable: UsableModel) => Promise<Value>): Promise<Value> {
  return withUsable(loadUsableModel(path, options), work);
}

/** As `withUsableModel`, for writing text alone. */
export function withUsableWriter<Value>(path: string, options: LoadOptions, work: (usable: UsableModel<TextModel>) => Promise<Value>): Promise<Value> {
  return withUsable(loadUsableWriter(path, options), work);
}

async function withUsable<Model, Value>(opened: Promise<UsableModel<Model>>, work: (usable: UsableModel<Model>) => Promise<Value>): Promise<Value> {
  const usable = await opened;
  try {
    return await work(usable);
  } finally {
    await usable.close();
  }
}

/** Two layers are in memory at a time, one of them being read ahead, beside what is outside the layers. */
function requireStreamingMemory(config: ModelConfig, availableBytes: number): void {
  const layers = countLinearParameters(config);
  const largest = Math.max(...config.layers.map((layer) => countLinearParameters({ ...config, layers: [layer] })));
  const neededBytes = 4 * (countParameters(config) - layers + 2 * largest);
  if (neededBytes <= availableBytes) return;
  const [needed, available] = [neededBytes + WORKING_BYTES, availableBytes + WORKING_BYTES].map((bytes) => `${(bytes / 1e9).toFixed(1)} GB`);
  throw new ResourceError('memory', `This model needs ${needed} of memory even when its layers are read one at a time; ${available} is free.`, {
    hint: 'Close other programs, or use a smaller model.',
    details: { neededBytes: neededBytes + WORKING_BYTES, availableBytes: availableBytes + WORKING_BYTES },
  });
}

/** Gives an executor to `work` and frees it afterwards. */
export async function withExecutor<Value>(threads: number, work: (executor: Executor) => Promise<Value>): Promise<Value> {
  const executor = await Executor.create({ threads });
  try {
    return await work(executor);
  } finally {
    await executor.dispose();
  }
}
