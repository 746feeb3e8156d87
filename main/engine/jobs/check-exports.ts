/** Whether the files that a recipe asks for can be written for its model at all: told before a run, not at its end. */
import type { Problem } from '../../../preload/contract/model';
import type { ExportTarget, Recipe } from '../../../preload/contract/recipe';
import { requireGgufForm } from '../export/gguf-model';
import { requireOnnxForm } from '../export/onnx-model';
import { requireSafetensorsForm } from '../export/safetensors-model';
import type { Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import { PlanError } from '../support/errors';
import { asProblem, planRecipe } from './estimate';
import { withEvenWidths } from './size';

/**
 * One error for each file type that cannot hold the model as it will be. Nothing is written.
 * A size that cannot be reached is no concern of this: the estimate tells it.
 */
export async function checkExports(source: Checkpoint, recipe: Recipe): Promise<Problem[]> {
  const after = expectedConfig(source.config, recipe);
  const problems: Problem[] = [];
  for (const target of recipe.exports) {
    try {
      await requireForm(after, source, target);
    } catch (error) {
      const { message, ...problem } = asProblem(error);
      problems.push({ ...problem, message: `No ${FORMAT_NAMES[target.format]} file can be written for this model. ${message}` });
    }
  }
  return problems;
}

const FORMAT_NAMES = { gguf: 'GGUF', onnx: 'ONNX', safetensors: 'safetensors' } as const;

function requireForm(after: ModelConfig, source: Checkpoint, target: ExportTarget): Promise<void> {
  switch (target.format) {
    case 'gguf':
      return requireGgufForm(after, source);
    case 'safetensors':
      return requireSafetensorsForm(after, source, target.dtype);
    case 'onnx':
      return requireOnnxForm(after, source);
  }
}

/** The widths that the run will lead to; in mode `quality` only that they differ between layers is known before. */
function expectedConfig(config: ModelConfig, recipe: Recipe): ModelConfig {
  if (recipe.mode === 'quality') {
    return { ...config, layers: config.layers.map((layer, index) => (index === 0 ? { ...layer, ffn: layer.ffn - 1 } : layer)) };
  }
  try {
    const budget = planRecipe(config, recipe);
    if (budget.mode === 'quality') return config;
    const { heads, kvHeads, ffn } = budget;
    return withEvenWidths(config, { heads, kvHeads, ffn });
  } catch (error) {
    if (error instanceof PlanError) return config;
    throw error;
  }
}
