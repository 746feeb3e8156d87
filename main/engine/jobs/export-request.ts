/** A model written in another format: one target, verified, put where the user says. */
import { existsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExportTarget } from '../../../preload/contract/recipe';
import type { Exported } from '../../../preload/contract/run';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint';
import { UsageError } from '../support/errors';
import type { OnProgress } from '../support/progress';
import { copyLegalFiles } from './describe-export';
import { exportModel } from './export-model';
import { modelNameOf } from './model-name';
import { withExecutor } from './use-model';
import { checkIds } from './verify-model';

export interface ExportRequestOptions {
  readonly target: ExportTarget;
  /** What to write; in a folder that exists already, something with the model's name is made. */
  readonly out: string;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Text on which re-opened files are compared when no run has text of its own. */
const CHECK_TEXT =
  'Once upon a time there was a small model that lived in a large machine. It had read many books, and when somebody asked, ' +
  'it answered as well as it could. In 1984 the rain fell for 3 days; "Why?" said the cat. def add(a, b): return a + b. ';

/** Writes a model in another format. */
export async function exportCheckpoint(modelPath: string, options: ExportRequestOptions): Promise<Exported> {
  return withSource(modelPath, async (source) => {
    const path = freePath(options, modelNameOf(modelPath));
    const ids = await checkIds(source, CHECK_TEXT);
    await mkdir(dirname(path), { recursive: true });
    const exported = await withExecutor(options.threads, (executor) => exportModel(executor, { ...options, model: source, source, path, checkIds: ids }));
    // Folders hold them already.
    const legal = options.target.format === 'gguf' ? await copyLegalFiles(source, dirname(path)) : [];
    return { ...exported, files: [...exported.files, ...legal] };
  });
}

/** Opens a model for `work` and closes it afterwards. */
export async function withSource<Value>(path: string, work: (source: Checkpoint) => Promise<Value>): Promise<Value> {
  const source = await openCheckpoint(path);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** Where an export goes: into a folder that exists under a name of its own, else exactly where the user says. Throws UsageError where something is already. */
export function freePath({ target, out }: ExportRequestOptions, name: string): string {
  const own = `${name}${target.format === 'onnx' ? '-onnx' : ''}-${target.dtype.toLowerCase()}${target.format === 'gguf' ? '.gguf' : ''}`;
  const exact = target.format !== 'gguf' || /\.gguf$/i.test(out);
  const path = exact && !existsSync(out) ? out : join(out, own);
  if (existsSync(path) || (exact && existsSync(out) && !statSync(out).isDirectory())) {
    throw new UsageError(`${existsSync(path) ? path : out} exists already.`, {
      hint: 'Choose a name that does not exist yet: nothing of yours is ever overwritten.',
      details: { file: path },
    });
  }
  return path;
}
