/** Whole runs from the command line on random models whose blocks differ most from Llama's. */
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { main } from '../../main/cli/main';
import { starterTexts } from '../../main/engine/jobs/bundled';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { EXAMPLE_MODEL } from '../support/example-model';
import { withTemporaryFolder } from '../support/temporary-folder';
import { writeTinyFolder, type TinyOptions } from '../support/tiny-model';

const EVEN = { heads: 4, kvHeads: 4, ffn: 64 };
const GROUPED = { heads: 4, kvHeads: 2, ffn: 64 };

const RUNS: readonly { name: string; options: TinyOptions; arguments: readonly string[]; ffn: (layers: readonly number[]) => boolean }[] = [
  {
    name: 'GPT-2 in best quality, folder',
    options: { family: 'gpt2', layers: [EVEN, EVEN, EVEN], biases: ['q', 'k', 'v', 'o', 'up', 'down'], tied: true },
    arguments: ['--ratio', '0.3', '--mode', 'quality', '--format', 'safetensors'],
    ffn: (layers) => new Set(layers).size > 1,
  },
  {
    name: 'Gemma 2 for every program, folder and GGUF',
    options: { family: 'gemma2', layers: [GROUPED, GROUPED, GROUPED], tied: true, design: { windows: [7, 0, 7] } },
    arguments: ['--ratio', '0.3', '--mode', 'everywhere', '--format', 'safetensors', '--format', 'gguf'],
    ffn: (layers) => new Set(layers).size === 1,
  },
];

describe('a run of', () => {
  it.each(RUNS)('$name ends with files that open and answer alike', { timeout: 120_000 }, async ({ options, arguments: more, ffn }) => {
    await withTemporaryFolder(async (folder) => {
      const model = join(folder, 'model');
      await writeTinyFolder(model, { ...options, vocabulary: 512 });
      for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(join(EXAMPLE_MODEL, file), join(model, file));
      const [text] = await starterTexts();
      const shown: string[] = [];
      const status = await main(['compress', model, '--out', 'small', '--data', text?.path ?? '', '--budget-tokens', '4096', ...more], {
        stdout: { write: (line) => void shown.push(line) },
        stderr: { write: (line) => void shown.push(line) },
        cwd: folder, environment: { SHEAR_RUNS_FOLDER: join(folder, 'runs') }, signal: new AbortController().signal,
      });
      expect(status, shown.join('')).toBe(0);
      const made = (await readdir(join(folder, 'small'))).filter((name) => name === 'model' || name.endsWith('.gguf'));
      expect(made).toHaveLength(more.filter((argument) => argument === '--format').length);
      for (const name of made) {
        const written = await openCheckpoint(join(folder, 'small', name));
        await written.close();
        expect(written.config.family).toBe(options.family);
        expect(written.config.layers.every((layer) => layer.heads === 4 && layer.ffn < 64)).toBe(true);
        expect(ffn(written.config.layers.map((layer) => layer.ffn))).toBe(true);
      }
    });
  });
});
