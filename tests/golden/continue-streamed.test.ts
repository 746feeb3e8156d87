/** A run whose memory is so short that its layers are read from their files: stopped at some of its steps and continued, it ends to the last bit as one that was not. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeRecipe } from '../../main/engine/jobs/recipe';
import { executeRun } from '../../main/engine/jobs/run';
import { RunFolder } from '../../main/engine/jobs/run-folder';
import { steps } from '../../main/engine/jobs/steps/index';
import { Random } from '../../main/engine/support/random';
import type { RunEvent } from '../../preload/contract/run';
import { writeTinyFolder } from '../support/tiny-model';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-streamed-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What stops a run in its middle, other than an abort: nothing more is kept. */
class Crash extends Error {}

describe('A run with streamed layers', () => {
  it.each(['none', 'refit'] as const)('that crashes and is continued ends as one that did not (compensation: %s)', { timeout: 120_000 }, async (compensation) => {
    const { config } = await writeTinyFolder(join(folder, 'model'), { layers: Array.from({ length: 3 }, () => ({ heads: 4, kvHeads: 4, ffn: 48 })) });
    const random = Random.fromSeed(5);
    await writeFile(join(folder, 'ids.json'), JSON.stringify(Array.from({ length: 600 }, () => random.nextInteger(config.vocabulary))));

    const compress = async (name: string, crashes: readonly ((event: RunEvent) => boolean)[]): Promise<string[]> => {
      const run = await RunFolder.create(join(folder, name), completeRecipe({
        model: join(folder, 'model'), out: join(folder, `${name}-out`), size: { kind: 'ratio', ratio: 0.3 }, mode: 'quality', budgetTokens: 512, seed: 3,
        sources: [{ kind: 'ids', path: join(folder, 'ids.json'), name: 'ids' }], exports: [{ format: 'safetensors', dtype: 'F32' }],
        training: { batch: 2, length: 16, dropout: 0.1, precision: 'exact' },
        // One round, which is never given up early.
        recovery: { rounds: 1 },
        method: { analysisTokens: 32, compensation, compensationTokens: 64, periods: 3, pruningShare: 0.5, warmupShare: 0.1 },
      }));
      for (const crashesAt of [...crashes, () => false]) {
        // No way fits into this little, so each stage takes the most frugal one.
        const work = executeRun(run, steps, {
          threads: 1, signal: new AbortController().signal, memoryLimitBytes: 1, checkpointMs: 0, estimates: [],
          emit: (event) => {
            if (crashesAt(event)) throw new Crash('stopped by the test');
          },
        });
        if (crashesAt.length === 0) await work;
        else {
          await expect(work).rejects.toMatchObject({ message: 'stopped by the test' });
          // What a killed process would not have cleared away.
          await writeFile(run.path('working.safetensors'), 'half a model');
        }
      }
      expect((await readdir(run.folder)).filter((file) => /checkpoint|kept|sliced|adapted|working|partial|tmp$/.test(file))).toEqual([]);
      const files = [...['analysis.json', 'plan.json', 'recovered.safetensors'].map((file) => run.path(file)), join(folder, `${name}-out`, 'model', 'model.safetensors')];
      return Promise.all(files.map(async (file) => createHash('sha256').update(await readFile(file)).digest('hex')));
    };

    const at = (stage: 'prune' | 'recover', step: number) => (event: RunEvent) => event.type === 'loss' && event.stage === stage && event.step === step;
    const expected = await compress('whole', []);
    expect(await compress('stopped', [at('prune', 3), at('prune', 8), at('recover', 2)])).toEqual(expected);
  });
});
