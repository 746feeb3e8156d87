/** What a run's folder tells about it, and that its recipe makes the same plan again. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { version } from '../../../package.json';
import { exampleModel, starterTexts } from '../../../main/engine/jobs/bundled';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { readRecord } from '../../../main/engine/jobs/record';
import type { RunFolder } from '../../../main/engine/jobs/run-folder';
import { executeFolder, prepareRun } from '../../../main/engine/jobs/start';
import type { RecipeInput } from '../../../preload/contract/recipe';

const speed = { forwardTokensPerSecond: 4000, trainTokensPerSecond: 1000, recoverTokensPerSecond: 1000 };

it('A run of the example records programs, machines and digests of what it read, and its recipe makes the same plan to the last bit', { timeout: 240_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shear-record-'));
  try {
    const source = join(folder, 'stories.txt');
    const [text] = await starterTexts();
    await writeFile(source, (await readFile(text?.path ?? '', 'utf8')).slice(0, 8000));
    const run = async (name: string, input: RecipeInput): Promise<RunFolder> => {
      const recipe = completeRecipe({ ...input, out: join(folder, name) });
      const made = await prepareRun(recipe, join(folder, 'runs'), { speed });
      await executeFolder(made, { threads: 1, signal: new AbortController().signal, emit: () => undefined });
      return made;
    };
    const first = await run('one', {
      model: exampleModel(), out: '', size: { kind: 'ratio', ratio: 0.3 }, mode: 'quality', budgetTokens: 512, seed: 4,
      sources: [{ kind: 'text', path: source, name: 'stories' }], training: { length: 32, batch: 2 }, method: { analysisTokens: 64 }, exports: [{ format: 'safetensors', dtype: 'F32' }],
    });
    const { attempts, files } = await readRecord(first);
    expect(attempts).toMatchObject([{ shear: version, node: process.versions.node, threads: 1 }]);
    for (const { path, bytes, sha256 } of files) {
      const content = await readFile(path);
      expect([content.length, createHash('sha256').update(content).digest('hex')]).toEqual([bytes, sha256]);
    }
    expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining([source, join(exampleModel(), 'model.safetensors')]));

    const second = await run('two', JSON.parse(await readFile(first.path('recipe.json'), 'utf8')) as RecipeInput);
    for (const file of ['analysis.json', 'plan.json']) expect(await readFile(second.path(file), 'utf8')).toBe(await readFile(first.path(file), 'utf8'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
