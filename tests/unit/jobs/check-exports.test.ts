/** File types that cannot hold a model are refused before a run, each with what is wrong and the way out. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exampleModel, starterTexts } from '../../../main/engine/jobs/bundled';
import { checkExports } from '../../../main/engine/jobs/check-exports';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { checkRecipe, prepareRun } from '../../../main/engine/jobs/start';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';
import type { Problem } from '../../../preload/contract/model';
import type { Recipe, RecipeInput } from '../../../preload/contract/recipe';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { writeTinyFolder } from '../../support/tiny-model';

const BOTH = [{ format: 'safetensors', dtype: 'F16' }, { format: 'gguf', dtype: 'F16' }] as const;
const speed = { forwardTokensPerSecond: 1000, trainTokensPerSecond: 300, recoverTokensPerSecond: 300 };

async function recipe(model: string, changes: Partial<RecipeInput> = {}): Promise<Recipe> {
  const [text] = await starterTexts();
  return completeRecipe({
    model, out: join(model, '..', 'out'), size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1024, exports: [...BOTH],
    sources: [{ kind: 'text', path: text?.path ?? '', name: 'stories' }], ...changes,
  });
}

async function problemsOf(recipe: Recipe): Promise<Problem[]> {
  const checkpoint = await openCheckpoint(recipe.model);
  try {
    return await checkExports(checkpoint, recipe);
  } finally {
    await checkpoint.close();
  }
}

describe('Export targets', () => {
  it('that can be written are no problem, in either mode', async () => {
    for (const mode of ['everywhere', 'quality'] as const) expect(await problemsOf(await recipe(exampleModel(), { mode }))).toEqual([]);
  });

  it('are left to the estimate when the size cannot be reached', async () => {
    expect(await problemsOf(await recipe(exampleModel(), { size: { kind: 'bytes', bytes: 1000 } }))).toEqual([]);
  });

  it('of GGUF are an error for a tokenizer that GGUF has no words for, and the run is refused', () =>
    withTemporaryFolder(async (folder) => {
      const model = join(folder, 'model');
      await cp(exampleModel(), model, { recursive: true });
      const path = join(model, 'tokenizer.json');
      const tokenizer = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
      await writeFile(path, JSON.stringify({ ...tokenizer, normalizer: { type: 'Lowercase' } }));

      const { estimate } = await checkRecipe(await recipe(model), join(folder, 'runs'), { speed });
      expect(estimate.problems).toHaveLength(1);
      expect(estimate.problems[0]).toMatchObject({ severity: 'error', code: 'unsupported' });
      expect(estimate.problems[0]?.message).toMatch(/^No GGUF file can be written for this model\. .*tokenizer/);
      expect(estimate.problems[0]?.hint).toMatch(/safetensors/);
      await expect(prepareRun(await recipe(model), join(folder, 'runs'), { speed })).rejects.toMatchObject({ code: 'unsupported' });

      const other = await recipe(model, { exports: [BOTH[0]] });
      expect((await checkRecipe(other, join(folder, 'runs'), { speed })).estimate.problems).toEqual([]);
    }));

  it('of safetensors are an error for biases that no class of transformers has, and GGUF is the way out', () =>
    withTemporaryFolder(async (folder) => {
      const model = join(folder, 'model');
      await writeTinyFolder(model, { biases: ['down'] });
      const problems = await problemsOf(await recipe(model));
      expect(problems.map(({ code }) => code)).toEqual(['unsupported']);
      expect(problems[0]?.message).toMatch(/^No safetensors file can be written for this model\. .*biases on just down/);
      expect(problems[0]?.hint).toMatch(/GGUF/);
    }));
});
