/** Writes a model as a Hugging Face folder: config.json, model.safetensors, and the files that travel with it. */
import type { Checkpoint } from '../model/checkpoint';
import type { ModelView } from '../model/view';
import { InternalError } from '../support/errors';
import type { WriteOptions, WrittenFile } from './written';

/** Writes `view` into `folder`, whole or not at all; what `view` does not know (tokenizer, licence) comes from `source`. */
export function writeSafetensorsModel(
  view: ModelView,
  source: Checkpoint,
  folder: string,
  options: WriteOptions<'F32' | 'F16' | 'BF16'>,
): Promise<WrittenFile[]> {
  return Promise.reject(new InternalError(`not written yet: ${folder} ${options.dtype} ${source.path} ${view.config.family}`));
}
