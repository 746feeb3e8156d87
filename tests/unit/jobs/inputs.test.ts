/** Files that change underneath a run: told, never gone on with, and the run goes on once they are back. */
import { cp, mkdtemp, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Stage } from '../../../preload/contract/run';
import { exampleModel, starterTexts } from '../../../main/engine/jobs/bundled';
import { onSameInputs, rememberInputs } from '../../../main/engine/jobs/inputs';
import { completeRecipe } from '../../../main/engine/jobs/recipe';
import { executeRun } from '../../../main/engine/jobs/run';
import { RunFolder } from '../../../main/engine/jobs/run-folder';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-inputs-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('A run whose files change', () => {
  it('stops with what happened to each, and goes on when they are as they were', async () => {
    const [model, text] = [join(folder, 'model'), join(folder, 'text.txt')];
    await cp(exampleModel(), model, { recursive: true });
    await cp((await starterTexts())[0]?.path ?? '', text);
    const recipe = completeRecipe({ model, out: join(folder, 'out'), size: { kind: 'ratio', ratio: 0.2 }, budgetTokens: 1, sources: [{ kind: 'text', path: text, name: 't' }] });
    const run = await RunFolder.create(join(folder, 'runs'), recipe);
    const checkpoint = await openCheckpoint(model);
    await rememberInputs(run, checkpoint, recipe).finally(() => checkpoint.close());

    const options = { threads: 1, signal: new AbortController().signal, estimates: [], emit: () => undefined };
    const done: string[] = [];
    const attempt = (stage: Stage, change = (): Promise<unknown> => Promise.resolve()): Promise<unknown> =>
      executeRun(run, [onSameInputs({
        stage,
        run: async () => {
          await change();
          done.push(stage);
        },
      })], options).catch((error: unknown) => error);
    const weights = join(model, 'model.safetensors');
    const [bytes, { mtime }] = [await readFile(weights), await stat(weights)];

    await writeFile(text, 'another');
    expect(await attempt('prepare')).toMatchObject({ code: 'usage', message: expect.stringContaining(`${text} has 7 bytes; it had`) as unknown });
    expect(done).toEqual([]);
    // Without the text the other stages do.
    await rm(text);
    const noResult = { code: 'usage', message: expect.stringContaining('has no result') as unknown };
    expect(await attempt('measure')).toMatchObject(noResult);

    const changed = Buffer.from(bytes);
    changed[changed.length - 3] = (changed.at(-3) ?? 0) ^ 1;
    await writeFile(weights, changed);
    await utimes(weights, mtime, mtime);
    expect(await attempt('analyse')).toMatchObject({ code: 'usage', message: expect.stringContaining(`${weights} was changed.`) as unknown });
    await rename(weights, `${weights}.away`);
    expect(await attempt('analyse')).toMatchObject({ message: expect.stringContaining(`${weights} is gone.`) as unknown });
    expect((await run.readStatus()).state).toBe('failed');

    await writeFile(weights, bytes);
    await utimes(weights, mtime, mtime);
    // Changed while a stage worked: it does not count as finished.
    expect(await attempt('prune', () => writeFile(weights, changed))).toMatchObject({ message: expect.stringContaining('was changed') as unknown });
    expect((await run.readStatus()).finished).toEqual(['measure']);
    await writeFile(weights, bytes);
    await utimes(weights, mtime, mtime);
    expect(await attempt('analyse')).toMatchObject(noResult);
    expect((await run.readStatus()).finished).toEqual(['measure', 'analyse']);
  });
});
