/** Case 16: folders with an ideographic space and letters with marks, as input, output, runs and temporary folder at once. */
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { main } from '../../main/cli/main';
import { starterTexts } from '../../main/engine/jobs/bundled';
import { EXAMPLE_MODEL } from '../support/example-model';
import { withTemporaryFolder } from '../support/temporary-folder';
import { writeTinyFolder } from '../support/tiny-model';

const NAME = '模型\u3000ü 1';

it('A whole run, exports in every format, their check and a text work in folders whose names are no plain letters (case 16)', { timeout: 120_000 }, () =>
  withTemporaryFolder(async (root) => {
    const folder = join(root, NAME);
    const model = join(folder, `${NAME} in`);
    const temporary = join(folder, `${NAME} tmp`);
    await mkdir(temporary, { recursive: true });
    const layer = { heads: 4, kvHeads: 2, ffn: 64 };
    await writeTinyFolder(model, { layers: [layer, layer], vocabulary: 512 });
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(join(EXAMPLE_MODEL, file), join(model, file));
    const [starter] = await starterTexts();
    const text = join(folder, `${NAME}.txt`);
    await copyFile(starter?.path ?? '', text);
    const shear = async (...argv: string[]): Promise<void> => {
      const shown: string[] = [];
      const write = (line: string): void => void shown.push(line);
      const status = await main(argv, {
        stdout: { write }, stderr: { write }, cwd: folder, environment: { SHEAR_RUNS_FOLDER: join(folder, `${NAME} runs`) }, signal: new AbortController().signal,
      });
      expect(status, `${argv.join(' ')}\n${shown.join('')}`).toBe(0);
    };
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = temporary;
    try {
      await shear('compress', `${NAME} in`, '--out', `${NAME} out`, '--data', text, '--ratio', '0.3', '--budget-tokens', '4096', '--format', 'safetensors', '--format', 'gguf', '--format', 'onnx');
      const out = join(folder, `${NAME} out`);
      const made = await readdir(out);
      const gguf = made.find((name) => name.endsWith('.gguf')) ?? '';
      expect(gguf).toContain('模型-ü-1');
      for (const name of ['model', 'onnx', gguf]) {
        await shear('verify', join(out, name), '--against', join(out, 'model'));
        if (name !== 'onnx') await shear('generate', join(out, name), '--prompt', 'Once', '--tokens', '2');
      }
      await shear('export', join(out, gguf), '--format', 'safetensors', '--out', `${NAME} again`);
      await shear('bench', 'import', '--model', `${NAME} in`, '--rounds', '1');
      expect(await readdir(temporary)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  }));
