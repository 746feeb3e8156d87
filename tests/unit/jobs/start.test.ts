/** What is refused before a run begins, and before one goes on, on the bundled model. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exampleModel } from '../../../main/engine/jobs/bundled';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { RunFolder } from '../../../main/engine/jobs/run-folder';
import { checkRecipe, prepareRun, reopenRun } from '../../../main/engine/jobs/start';
import type { Recipe, RecipeInput } from '../../../preload/contract/recipe';

const speed = { forwardTokensPerSecond: 400, trainTokensPerSecond: 100, recoverTokensPerSecond: 100 };
let folder: string;
let runs: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-start-'));
  runs = join(folder, 'runs');
  await writeFile(join(folder, 'a.txt'), 'A text. '.repeat(300));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function recipe(changes: Partial<RecipeInput> = {}): Recipe {
  return completeRecipe({
    model: exampleModel(), out: join(folder, 'out'), size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 4096,
    sources: [{ kind: 'text', path: join(folder, 'a.txt'), name: 'a' }], ...changes,
  });
}

describe('a budget', () => {
  it('that does not reach for one training step is refused, with what to do', async () => {
    const checks: (() => Promise<unknown>)[] = [
      async () => (await checkRecipe(recipe({ budgetTokens: 1023 }), runs, { speed })).estimate.problems[0],
      () => prepareRun(recipe({ budgetTokens: 1 }), runs, { speed }),
    ];
    for (const check of checks) {
      const problem = await check().catch((error: unknown) => error);
      expect(problem).toMatchObject({
        code: 'usage', message: expect.stringContaining('1,024 tokens') as unknown, hint: expect.stringMatching(/1,024 or more.*0/) as unknown,
      });
    }
    expect((await readdir(folder)).includes('runs')).toBe(false);
  });

  it('of one step is enough, and of 0 means no training', async () => {
    for (const budgetTokens of [0, 1024]) expect((await checkRecipe(recipe({ budgetTokens }), runs, { speed })).estimate.problems).toEqual([]);
  });

  it('counts pieces of text as long as the model allows', async () => {
    // The example model reads 512 tokens at most.
    expect((await checkRecipe(recipe({ budgetTokens: 2048, training: { length: 4096 } }), runs, { speed })).estimate.problems).toEqual([]);
  });
});

describe('a run that goes on', () => {
  it('is refused where memory or disk no longer suffice, and can go on when they do', async () => {
    const { runId } = await prepareRun(recipe(), runs, { speed });
    await expect(reopenRun(runId, runs, { memoryLimitBytes: 1000 })).rejects.toMatchObject({ code: 'memory' });
    expect((await RunFolder.open(runs, runId).readStatus()).state).toBe('interrupted');
    expect((await reopenRun(runId, runs)).runId).toBe(runId);
  });

  it('needs its texts no more once they are read, nor a folder for the result that is still empty', async () => {
    const { runId } = await prepareRun(recipe(), runs, { speed });
    await rm(join(folder, 'a.txt'));
    expect((await reopenRun(runId, runs)).runId).toBe(runId);
  });

  it('needs less disk by what it has written', async () => {
    const run = await prepareRun(recipe(), runs, { speed });
    const before = await run.writtenBytes();
    await writeFile(run.path('pruned.safetensors'), Buffer.alloc(5000));
    expect(await run.writtenBytes()).toBe(before + 5000);
  });
});
