/** The steps of a run, in order. Each reads what it needs from the run's folder and leaves its output there. */
import type { Recipe } from '../../../../preload/contract/recipe';
import type { RunEventBody, Stage } from '../../../../preload/contract/run';
import type { OnProgress } from '../../support/progress';
import { exportStage } from '../export-stage';
import type { RunFolder } from '../run-folder';
import { analyseStep } from './analyse';
import { evaluateStep } from './evaluate';
import { measureStep } from './measure';
import { prepareStep } from './prepare';
import { pruneStep } from './prune';
import { recoverStep } from './recover';

/** What a step is given. */
export interface RunContext {
  readonly recipe: Recipe;
  readonly folder: RunFolder;
  readonly signal: AbortSignal;
  readonly threads: number;
  emit(body: RunEventBody): void;
}

/** One stage of a run; a killed run goes on at the first one whose output is missing. */
export interface Step {
  readonly stage: Stage;
  run(context: RunContext, report: OnProgress): Promise<void>;
}

/**
 * Steps of a run. LoRAShear is the only method so far; another method is another list over the same plan, chosen by
 * `recipe.method.name`.
 */
export const steps: readonly Step[] = [prepareStep, measureStep, analyseStep, pruneStep, recoverStep, evaluateStep, exportStage];
