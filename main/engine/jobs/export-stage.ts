/**
 * The last stage of a run: every target is written, verified and described beside the final place, which then appears in
 * one step. A run that is killed, cancelled or fails here leaves nothing in the folder that the user chose.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recipe } from '../../../preload/contract/recipe';
import type { Exported, RunResult } from '../../../preload/contract/run';
import { Executor } from '../execution/executor';
import { writeCsv } from '../export/csv';
import { renderReport } from '../export/report';
import { countLinearParameters, countParameters, type ModelConfig } from '../model/config';
import { openCheckpoint } from '../model/checkpoint';
import { AppError, UsageError, toAppError } from '../support/errors';
import { throwIfCancelled, type OnProgress } from '../support/progress';
import { describeExport } from './describe-export';
import { firstTarget } from './estimate';
import { exportModel, targetPath } from './export-model';
import { modelNameOf, shearedName } from './model-name';
import { PLAN_COLUMNS, planRows } from './plan-table';
import { peakMemoryBytes } from './run';
import { weightBytes } from './size';
import { EVALUATION_FILE, evaluationSchema, type Evaluation } from './stage-data';
import type { RunContext, Step } from './step';
import { ANALYSIS_FILE, analysisSchema, PLAN_FILE, planSchema } from './steps/stage-files';
import { openStageModel } from './steps/stage-model';

/** The export stage, run after all weights and figures of a run are on disk. */
export const exportStage: Step = {
  stage: 'export',
  async run(context: RunContext, report: OnProgress): Promise<void> {
    const { folder, recipe } = context;
    // Killed between the last rename and the note that the stage is done: there is nothing left to do.
    if (folder.has(PLACED_FILE) && existsSync(join(recipe.out, REPORT_FILE))) return;
    const partial = await folder.partialOut();
    try {
      await rm(partial, { recursive: true, force: true });
      await mkdir(partial, { recursive: true });
      const result = await fillFolder(context, partial, report);
      throwIfCancelled(context.signal);
      await folder.writeResult(result);
      await folder.writeJson(PLACED_FILE, { out: recipe.out });
      await place(partial, recipe.out);
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      await rm(folder.path(PLACED_FILE), { force: true });
      throw atFinalPlace(error, partial, recipe.out);
    }
  },
};

/** Present once everything is ready to appear in the user's folder. */
const PLACED_FILE = 'placed.json';
const REPORT_FILE = 'report.html';
/** Why each unit stays or goes. */
const PLAN_TABLE_FILE = 'plan.csv';

/** The same error about the folder that the user chose: the temporary one beside it is gone, and none of the user's business. */
function atFinalPlace(error: unknown, partial: string, out: string): AppError {
  const { code, message, hint, details } = toAppError(error, out);
  const move = <Value>(value: Value): Value | string => (typeof value === 'string' ? value.replaceAll(partial, out) : value);
  return new AppError(code, message.replaceAll(partial, out), {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    details: Object.fromEntries(Object.entries(details).map(([key, value]) => [key, move(value)])),
  });
}

async function place(partial: string, out: string): Promise<void> {
  if (existsSync(out)) {
    try {
      await rmdir(out);
    } catch (error) {
      throw new UsageError(`${out} has got files of its own since the run began, so the results were not put there.`, {
        cause: error,
        hint: 'Empty or rename that folder, then continue the run.',
        details: { file: out },
      });
    }
  }
  await rename(partial, out);
}

async function fillFolder(context: RunContext, partial: string, report: OnProgress): Promise<RunResult> {
  const { folder, recipe, signal, threads } = context;
  const startedMs = Date.now();
  const evaluation = await folder.readJson(EVALUATION_FILE, evaluationSchema);
  const source = await openCheckpoint(recipe.model);
  const executor = await Executor.create({ threads });
  const model = await openStageModel(folder, 'recovered').catch(async (error: unknown) => {
    await source.close();
    throw error;
  });
  try {
    const figures = sizesOf(source.config, model.config, recipe, evaluation);
    const name = shearedName(recipe.model, figures.removedFraction);
    const exports: Exported[] = [];
    for (const [index, target] of recipe.exports.entries()) {
      throwIfCancelled(signal);
      const path = targetPath(partial, name, target, recipe.exports);
      const exported = await exportModel(executor, {
        model, source, target, path, checkIds: evaluation.checkIds, threads, signal,
        onProgress: ({ done, total }) => report({ done: index + done / total, total: recipe.exports.length }),
      });
      const described = await describeExport(exported, { name, source, recipe, figures: { ...figures, ...evaluation } });
      exports.push(moved(described, partial, recipe.out));
    }
    const status = await folder.readStatus();
    const result: RunResult = {
      runId: folder.runId, ...figures,
      perplexities: evaluation.perplexities, samples: evaluation.samples, layers: evaluation.layers, exports,
      report: join(recipe.out, REPORT_FILE),
      seconds: status.activeSeconds + (Date.now() - startedMs) / 1000,
      peakBytes: Math.max(status.peakBytes, peakMemoryBytes()),
    };
    const page = renderReport({ modelName: modelNameOf(recipe.model), recipe, result, events: await folder.readEvents(), finishedAt: new Date() });
    await writeFile(join(partial, REPORT_FILE), page);
    await writeFile(folder.path(REPORT_FILE), page);
    await writePlanTable(context, join(partial, PLAN_TABLE_FILE));
    return result;
  } finally {
    await executor.dispose();
    await model.close();
    await source.close();
  }
}

async function writePlanTable({ folder, recipe }: RunContext, file: string): Promise<void> {
  const [plan, analysis] = [await folder.readJson(PLAN_FILE, planSchema), await folder.readJson(ANALYSIS_FILE, analysisSchema)];
  const sources = recipe.sources.map(({ name }) => name);
  await writeCsv(file, PLAN_COLUMNS, planRows({ plan, analysis, recipe, sources }));
  await copyFile(file, folder.path(PLAN_TABLE_FILE));
}

type Figures = Pick<RunResult, 'removedFraction' | 'before' | 'after'>;

function sizesOf(before: ModelConfig, after: ModelConfig, recipe: Recipe, { tokensPerSecond }: Evaluation): Figures {
  const target = firstTarget(recipe);
  const side = (config: ModelConfig, speed: number): RunResult['before'] => ({
    parameters: countParameters(config), linearParameters: countLinearParameters(config),
    bytes: weightBytes(config, target), tokensPerSecond: speed,
  });
  const sides = { before: side(before, tokensPerSecond.before), after: side(after, tokensPerSecond.after) };
  return { removedFraction: 1 - sides.after.linearParameters / sides.before.linearParameters, ...sides };
}

function moved(exported: Exported, from: string, to: string): Exported {
  const move = (path: string): string => (path.startsWith(from) ? to + path.slice(from.length) : path);
  return { ...exported, path: move(exported.path), files: exported.files.map((file) => ({ ...file, path: move(file.path) })) };
}
