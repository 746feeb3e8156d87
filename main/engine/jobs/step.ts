/** What a stage of a run is: given the run's folder, it reads what earlier stages left there and leaves its own output. */
import type { Recipe } from '../../../preload/contract/recipe';
import type { RunEventBody, Stage } from '../../../preload/contract/run';
import type { OnProgress } from '../support/progress';
import type { RunFolder } from './run-folder';

/** What a step is given. */
export interface RunContext {
  readonly recipe: Recipe;
  readonly folder: RunFolder;
  readonly signal: AbortSignal;
  readonly threads: number;
  /** The most memory that this run may use; what the environment says unless given. */
  readonly memoryLimitBytes?: number | undefined;
  emit(body: RunEventBody): void;
}

/** One stage of a run; a killed run goes on at the first one whose output is missing. */
export interface Step {
  readonly stage: Stage;
  run(context: RunContext, report: OnProgress): Promise<void>;
}
