/** The result of a finished run in one more format. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Exported } from '../../../preload/contract/run';
import { describeExport } from './describe-export';
import { exportModel } from './export-model';
import { freePath, withSource, type ExportRequestOptions } from './export-request';
import { shearedName } from './model-name';
import type { RunFolder } from './run-folder';
import { EVALUATION_FILE, evaluationSchema } from './stage-data';
import { openStageModel } from './steps/stage-model';
import { withExecutor } from './use-model';

/** Exports the final model of a finished run. Throws UsageError when the run has not finished. */
export async function exportRun(folder: RunFolder, options: ExportRequestOptions): Promise<Exported> {
  const [recipe, result, evaluation] = [await folder.readRecipe(), await folder.readResult(), await folder.readJson(EVALUATION_FILE, evaluationSchema)];
  const name = shearedName(recipe.model, result.removedFraction);
  const path = freePath(options, name);
  return withSource(recipe.model, async (source) => {
    await mkdir(dirname(path), { recursive: true });
    const model = await openStageModel(folder, 'recovered');
    const exported = await withExecutor(options.threads, (executor) => exportModel(executor, { ...options, model, source, path, checkIds: evaluation.checkIds })).finally(() => model.close());
    return describeExport(exported, { name, source, recipe, figures: result });
  });
}
