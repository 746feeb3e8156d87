/** From a recipe to a run: checked against this machine first, then started or continued. */
import * as v from 'valibot';
import type { Recipe } from '../../../preload/contract/recipe';
import { estimateSchema, stageSchema, type Estimate, type RunEvent, type RunResult } from '../../../preload/contract/run';
import { requireWritable } from '../formats/whole-file';
import { openCheckpoint } from '../model/checkpoint';
import { UsageError } from '../support/errors';
import { checkBudget } from './check-budget';
import { checkExports } from './check-exports';
import { checkSources } from './check-sources';
import { estimateNeeds, estimateRun, refuseIfImpossible, type Speed } from './estimate';
import { onSameInputs, rememberInputs } from './inputs';
import type { StageEstimate } from './progress-meter';
import { recordAttempt, recordingFiles } from './record';
import { availableMemoryBytes, memoryLimitBytes } from './machine';
import { executeRun } from './run';
import { RunFolder, canContinue } from './run-folder';
import { steps } from './steps';
import { probeSpeed } from './steps/probe';
import { chooseTrainingWay } from './training-way';

/** What running needs besides a run's folder. */
export interface JobOptions {
  readonly threads: number;
  /** The most memory that the run may use; what the environment says unless given. */
  readonly memoryLimitBytes?: number | undefined;
  /** See `ExecuteOptions.signal`. */
  readonly signal: AbortSignal;
  readonly emit: (event: RunEvent) => void;
}

const ESTIMATE_FILE = 'estimate.json';
/** Gives no time at all. */
const UNKNOWN_SPEED: Speed = { forwardTokensPerSecond: Number.POSITIVE_INFINITY, trainTokensPerSecond: Number.POSITIVE_INFINITY, recoverTokensPerSecond: Number.POSITIVE_INFINITY };

/** What is known or set before a check. */
export interface CheckOptions {
  /** Skips the probe, which takes some seconds. */
  readonly speed?: Speed | undefined;
  /** The most memory that the user allows; what the environment says unless given. */
  readonly memoryLimitBytes?: number | undefined;
}

/**
 * What a run of this recipe will take and what speaks against it; `speed` is null where it was not probed.
 * @throws what `openCheckpoint` throws for a model that cannot be opened.
 */
export async function checkRecipe(recipe: Recipe, runsFolder: string, options: CheckOptions = {}): Promise<{ estimate: Estimate; speed: Speed | null }> {
  const checkpoint = await openCheckpoint(recipe.model);
  try {
    const { config } = checkpoint;
    const limit = options.memoryLimitBytes ?? memoryLimitBytes(process.env);
    const availableBytes = availableMemoryBytes(limit);
    // Where the run would not fit, the probe may not either: the memory is told, and no time.
    const fits = chooseTrainingWay(config, recipe, availableBytes).peakBytes <= availableBytes;
    const speed = options.speed ?? (fits ? await probeSpeed(checkpoint, recipe) : null);
    const estimate = await estimateRun({ config, recipe, speed: speed ?? UNKNOWN_SPEED, runsFolder, memoryLimitBytes: limit });
    const problems = [
      ...estimate.problems, ...checkBudget(config, recipe), ...(await checkExports(checkpoint, recipe)), ...(await checkSources(checkpoint, recipe)),
    ];
    return { speed, estimate: { ...estimate, problems } };
  } finally {
    await checkpoint.close();
  }
}

/**
 * Makes the folder of a new run after checking that it can succeed.
 * @throws ResourceError, PlanError, NotFoundError, UnsupportedError or UsageError with everything that speaks against it.
 */
export async function prepareRun(recipe: Recipe, runsFolder: string, options: CheckOptions = {}): Promise<RunFolder> {
  const { estimate } = await checkRecipe(recipe, runsFolder, options);
  refuseIfImpossible(estimate);
  // Hours later would be too late to find out.
  await requireWritable(recipe.out);
  const folder = await RunFolder.create(runsFolder, recipe);
  try {
    await folder.writeJson(ESTIMATE_FILE, estimate);
    const checkpoint = await openCheckpoint(recipe.model);
    await rememberInputs(folder, checkpoint, recipe).finally(() => checkpoint.close());
    return folder;
  } catch (error) {
    await folder.delete();
    throw error;
  }
}

/**
 * Opens a run that stopped before its end, once memory and disk have been checked again: both may have changed since.
 * @throws NotFoundError; UsageError when it is done or going on; ResourceError; what `openCheckpoint` throws.
 */
export async function reopenRun(runId: string, runsFolder: string, options: Pick<CheckOptions, 'memoryLimitBytes'> = {}): Promise<RunFolder> {
  const folder = RunFolder.open(runsFolder, runId);
  const { state } = await folder.readStatus();
  if (!canContinue(state)) {
    throw new UsageError(state === 'done' ? `Run ${runId} has finished: there is nothing to continue.` : `Run ${runId} is going on already.`, {
      details: { run: runId, state },
    });
  }
  await folder.removePartialOut();
  const [recipe, writtenBytes] = await Promise.all([folder.readRecipe(), folder.writtenBytes()]);
  const checkpoint = await openCheckpoint(recipe.model);
  try {
    refuseIfImpossible(await estimateNeeds({ config: checkpoint.config, recipe, runsFolder, writtenBytes, ...options }));
  } finally {
    await checkpoint.close();
  }
  return folder;
}

/** Executes a prepared or reopened run to its end. */
export async function executeFolder(folder: RunFolder, options: JobOptions): Promise<RunResult> {
  return executeRun(folder, steps.map(recordingFiles).map(onSameInputs), {
    ...options, estimates: await readEstimates(folder), onStart: () => recordAttempt(folder, options.threads),
  });
}

async function readEstimates(folder: RunFolder): Promise<StageEstimate[]> {
  if (!folder.has(ESTIMATE_FILE)) return [];
  const { perStage } = await folder.readJson(ESTIMATE_FILE, estimateSchema);
  return perStage.flatMap(({ stage, seconds }) => (v.is(stageSchema, stage) ? [{ stage, seconds }] : []));
}
