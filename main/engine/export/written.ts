/** What the model writers share: their options and what they answer. */
import type { OnProgress } from '../support/progress';

/** A file that was written, with its size. */
export interface WrittenFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** What a model writer answers: its files, and sentences for people about what the file type could not keep. */
export interface WrittenModel {
  readonly files: readonly WrittenFile[];
  readonly notes: readonly string[];
}

/** Options of a model writer; `Type` are the element types it can store matrices in. */
export interface WriteOptions<Type extends string> {
  readonly dtype: Type;
  /** Replace what is at the target; without it, a file or a folder that is not empty is refused. */
  readonly replace?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** In bytes written. */
  readonly onProgress?: OnProgress | undefined;
}
