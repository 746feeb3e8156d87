/** How models go in and out: the measure of it, and what an export tells about numbers that do not fit. */
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runImportBench } from '../../../main/engine/jobs/bench/import';
import { exampleModel } from '../../../main/engine/jobs/bundled';
import { exportCheckpoint } from '../../../main/engine/jobs/export-request';
import { exportCommand } from '../../../main/cli/commands/export';
import { Arguments } from '../../../main/cli/arguments';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { writeTinyFolder } from '../../support/tiny-model';

describe('shear bench import', () => {
  it('measures every way of writing beside copies, and leaves nothing', () =>
    withTemporaryFolder(async (folder) => {
      const before = process.env['TMPDIR'];
      process.env['TMPDIR'] = folder;
      try {
        const done: number[] = [];
        const result = await runImportBench({ model: exampleModel(), rounds: 1, onProgress: (progress) => done.push(progress.done / progress.total) });
        expect(result.works.map(({ name }) => name)).toEqual(['rewritten in F32', 'from F32 to F16', 'a quarter of each layer cut out']);
        for (const { bytesPerSecond, ofCopy, peakBytes } of result.works) expect(Math.min(bytesPerSecond, ofCopy, peakBytes)).toBeGreaterThan(0);
        expect([result.files, done.at(-1)]).toEqual([1, 1]);
        expect(await readdir(folder)).toEqual([]);
      } finally {
        if (before === undefined) delete process.env['TMPDIR'];
        else process.env['TMPDIR'] = before;
      }
    }));
});

describe('Exporting to float16', () => {
  it('tells on the command line and in its data which weights became 0', () =>
    withTemporaryFolder(async (folder) => {
      const source = join(folder, 'source');
      await writeTinyFolder(source, { vocabulary: 512 }, {
        tensors: (tensors) => tensors.map((tensor) => ({
          ...tensor,
          read: async () => (await tensor.read()).map((value, index) => (index === 0 && tensor.name === 'lm_head.weight' ? 1e-9 : value)),
        })),
      });
      for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(join(exampleModel(), file), join(source, file));
      const note = '1 weights are too small for F16 and became 0; BF16 or F32 would keep them (in lm_head.weight).';
      const exported = await exportCheckpoint(source, { target: { format: 'safetensors', dtype: 'F16' }, out: join(folder, 'a'), threads: 1 });
      expect(exported.notes).toEqual([note]);
      const args = Arguments.parse([source, '--format', 'safetensors', '--out', join(folder, 'b')], exportCommand.options, folder);
      const outcome = await exportCommand.run(args, {
        runsFolder: join(folder, 'runs'), threads: 1, memoryLimitBytes: Infinity, cwd: folder, signal: new AbortController().signal,
        advance: () => undefined, progress: () => () => undefined, note: () => undefined,
      });
      expect(outcome.text).toContain(`Note: ${note}`);
    }));
});
