/** The steps of a run, in their order. */
import { exportStage } from '../export-stage';
import type { Step } from '../step';
import { analyseStep } from './analyse';
import { evaluateStep } from './evaluate';
import { measureStep } from './measure';
import { prepareStep } from './prepare';
import { pruneStep } from './prune';
import { recoverStep } from './recover';

/**
 * LoRAShear is the only method so far; another method is another list over the same plan, chosen by
 * `recipe.method.name`.
 */
export const steps: readonly Step[] = [prepareStep, measureStep, analyseStep, pruneStep, recoverStep, evaluateStep, exportStage];
