/** Recipes from what people wrote: defaults filled in, paths made absolute, everything wrong told at once. */
import { dirname, resolve } from 'node:path';
import * as v from 'valibot';
import { recipeSchema, type Recipe, type RecipeInput, type Source } from '../../../preload/contract/recipe';
import { rowFileFormat } from '../data/row-files';
import { readStage } from '../data/text-source';
import { AppError, InternalError, UsageError } from '../support/errors';
import { readJsonFile } from './json-files';

/** A recipe file before anything is required of it: commands may fill in what it leaves out. */
export type PartialRecipe = Readonly<Record<string, unknown>>;

/** Completes a recipe. Throws UsageError that names every field that does not fit. */
export function completeRecipe(input: RecipeInput | PartialRecipe): Recipe {
  const parsed = v.safeParse(recipeSchema, input);
  if (parsed.success) return parsed.output;
  const problems = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'recipe'}: ${issue.message}`);
  throw new UsageError(`The recipe does not fit. ${problems.join('; ')}`, { details: { problems } });
}

/**
 * The stage of recovery that a text is for, from a look at its beginning. A file that cannot be read gets the default:
 * the check of the recipe tells what is wrong with it, together with everything else.
 */
export async function stageOfText(path: string, columns?: Source['columns']): Promise<Source['stage']> {
  try {
    return await readStage(path, columns);
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InternalError) throw error;
    return 'pretraining';
  }
}

/** Whether a file holds rows, by its ending: only those have columns to choose. */
export function holdsRows(path: string): boolean {
  return rowFileFormat(path) !== null;
}

/** Reads a recipe file; its relative paths start from the file's own folder. */
export async function readRecipeFile(path: string): Promise<PartialRecipe> {
  const fields = await readJsonFile(path, v.record(v.string(), v.unknown()));
  const folder = dirname(path);
  const absolute = (value: unknown): unknown => (typeof value === 'string' ? resolve(folder, value) : value);
  const { model, out, sources, ...others } = fields;
  return {
    ...others,
    ...(model === undefined ? {} : { model: absolute(model) }),
    ...(out === undefined ? {} : { out: absolute(out) }),
    ...(sources === undefined ? {} : { sources: Array.isArray(sources) ? sources.map((source: unknown) => withAbsolutePath(source, absolute)) : sources }),
  };
}

function withAbsolutePath(source: unknown, absolute: (value: unknown) => unknown): unknown {
  const fields = v.safeParse(v.looseObject({ path: v.unknown() }), source);
  return fields.success ? { ...fields.output, path: absolute(fields.output.path) } : source;
}
