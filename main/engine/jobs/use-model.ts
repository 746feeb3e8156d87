/** A model in memory with its tokenizer, for those who compute with it outside a run. */
import { Executor } from '../execution/executor';
import { loadModel, type LoadedModel } from '../execution/loaded-model';
import { openCheckpoint } from '../model/checkpoint';
import { countParameters } from '../model/config';
import { ResourceError } from '../support/errors';
import type { OnProgress } from '../support/progress';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { loadCheckpointTokenizer } from './checkpoint-tokenizer';
import { availableMemoryBytes } from './machine';

export interface UsableModel {
  readonly model: LoadedModel;
  readonly tokenizer: Tokenizer;
  /** Ids that end a text, from every file that names one. */
  readonly eosIds: readonly number[];
}

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Loads the weights and the tokenizer of a model.
 * @throws ResourceError before anything is read when the weights do not fit into memory.
 */
export async function loadUsableModel(path: string, options: LoadOptions = {}): Promise<UsableModel> {
  const checkpoint = await openCheckpoint(path);
  try {
    const neededBytes = 4 * countParameters(checkpoint.config);
    const availableBytes = availableMemoryBytes();
    if (neededBytes > availableBytes) {
      throw new ResourceError('memory', `This model needs ${(neededBytes / 1e9).toFixed(1)} GB of memory; ${(availableBytes / 1e9).toFixed(1)} GB is free.`, {
        hint: 'Close other programs, or use a smaller model.',
        details: { neededBytes, availableBytes },
      });
    }
    const tokenizer = await loadCheckpointTokenizer(checkpoint);
    const { signal, onProgress } = options;
    const model = await loadModel(checkpoint, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
    return { model, tokenizer, eosIds: [...new Set([...checkpoint.config.eosIds, ...tokenizer.eosIds])] };
  } finally {
    await checkpoint.close();
  }
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
