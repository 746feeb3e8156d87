/** Writes a model as one GGUF file that llama.cpp and the programs built on it open. */
import type { Checkpoint } from '../model/checkpoint';
import type { ModelView } from '../model/view';
import { InternalError } from '../support/errors';
import type { WriteOptions, WrittenFile } from './written';

/** Writes `view` into the file `path`, whole or not at all; tokenizer and descriptions come from `source`. */
export function writeGgufModel(
  view: ModelView,
  source: Checkpoint,
  path: string,
  options: WriteOptions<'F16' | 'F32'>,
): Promise<WrittenFile[]> {
  return Promise.reject(new InternalError(`not written yet: ${path} ${options.dtype} ${source.path} ${view.config.family}`));
}
