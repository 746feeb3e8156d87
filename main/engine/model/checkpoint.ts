/**
 * An opened model: where its files are, what they say, and its weights by role on demand. Opening reads headers
 * only and reports everything that is wrong at once; code and pickles in a model's folder are never run or read.
 */
import type { Inspection, Problem } from '../../../preload/contract/model';
import type { GgufEntry } from '../formats/gguf/types';
import type { StoredType } from '../tensors/handle';
import { InternalError } from '../support/errors';
import type { ModelView } from './view';

/** What the files say about the model in their own words. */
export type CheckpointMetadata =
  | { readonly kind: 'huggingface'; readonly config: Readonly<Record<string, unknown>> }
  | { readonly kind: 'gguf'; readonly entries: ReadonlyMap<string, GgufEntry> };

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
  /** Files that travel with a model (tokenizer.json, LICENSE, ...): name to real path. */
  readonly sideFiles: ReadonlyMap<string, string>;
  /** SPDX name or the licence file's name; `unknown` when the model says nothing. */
  readonly licence: string;
  /** Closes its files. Reads fail afterwards. */
  close(): Promise<void>;
}

/**
 * Opens a Hugging Face folder, a file of one (config.json, a shard, the index) or a `.gguf` file.
 * Throws NotFoundError, FormatError or UnsupportedError whose message lists all problems.
 */
export function openCheckpoint(path: string): Promise<Checkpoint> {
  return Promise.reject(new InternalError(`not written yet: ${path}`));
}

/** The same look at a model, with its problems as data instead of an error. Throws only if there is nothing at `path`. */
export function inspectCheckpoint(path: string): Promise<Inspection> {
  return Promise.reject(new InternalError(`not written yet: ${path}`));
}
