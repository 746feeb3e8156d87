/** What a stage of a run is: given the run's folder, it reads what earlier stages left there and leaves its own output. */
import type * as v from 'valibot';
import type { Recipe } from '../../../preload/contract/recipe';
import type { RunEventBody, Stage } from '../../../preload/contract/run';
import type { Phases } from '../support/checkpoint';
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
  /** Where the step keeps its state, and what an attempt before this one kept. */
  readonly checkpoint: Phases;
  /** What `decide` says the first time that a run's stage asks, and ever after: what depends on time or free memory must not change when it is continued. */
  once<Schema extends v.GenericSchema>(name: string, schema: Schema, decide: () => Promise<v.InferOutput<Schema>>): Promise<v.InferOutput<Schema>>;
  emit(body: RunEventBody): void;
}

/** One stage of a run; a killed run goes on at the first one whose output is missing. */
export interface Step {
  readonly stage: Stage;
  run(context: RunContext, report: OnProgress): Promise<void>;
  /** Removes what only a continued attempt at this step needs; called once its output is noted to be complete. */
  cleanUp?(folder: RunFolder, recipe: Recipe): Promise<void>;
}
