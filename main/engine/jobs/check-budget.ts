/** Whether a recipe's training budget reaches for any training: told before a run, not left to be found out after it. */
import type { Problem } from '../../../preload/contract/model';
import type { Recipe } from '../../../preload/contract/recipe';
import type { ModelConfig } from '../model/config';
import { stepBudget } from './steps/shared';

/** One error for a budget above 0 that is less than one step of training. */
export function checkBudget({ maxPositions }: ModelConfig, recipe: Recipe): Problem[] {
  const { budgetTokens, training } = recipe;
  const length = Math.min(training.length, maxPositions);
  const { warmup, pruning, recovery } = stepBudget(recipe, length);
  if (budgetTokens === 0 || warmup + pruning + recovery > 0) return [];
  const step = (training.batch * length).toLocaleString('en');
  return [{
    severity: 'error',
    code: 'usage',
    message:
      `A budget of ${budgetTokens.toLocaleString('en')} training tokens is less than one training step, ` +
      `which takes ${step} tokens (${training.batch} pieces of text of ${length} tokens).`,
    hint: `Choose a budget of ${step} or more, a smaller batch or shorter pieces of text; 0 means no training at all.`,
  }];
}
