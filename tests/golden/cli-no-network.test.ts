/** A whole job where there is no network at all: nothing waits for it, fails without it or says a word of it. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { starterTexts } from '../../main/engine/jobs/bundled';
import { buildCommandLine } from '../support/command-line';
import { EXAMPLE_MODEL } from '../support/example-model';
import { canLeaveNetwork, WITHOUT_NETWORK } from '../support/no-network';
import { withTemporaryFolder } from '../support/temporary-folder';
import { writeTinyFolder } from '../support/tiny-model';

it.runIf(canLeaveNetwork())('A model is made smaller, written, checked and asked in a network namespace with nothing in it', { timeout: 240_000 }, () =>
  withTemporaryFolder(async (folder) => {
    const model = join(folder, 'in');
    const layer = { heads: 4, kvHeads: 2, ffn: 64 };
    await writeTinyFolder(model, { layers: [layer, layer], vocabulary: 512 });
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(join(EXAMPLE_MODEL, file), join(model, file));
    const [starter] = await starterTexts();
    const commandLine = await buildCommandLine();
    try {
      const shear = async (...argv: string[]): Promise<void> => {
        const ended = await commandLine.run(argv, { enter: WITHOUT_NETWORK, environment: { SHEAR_RUNS_FOLDER: join(folder, 'runs') } });
        expect(ended, `${argv.join(' ')}\n${ended.stderr}`).toMatchObject({ status: 0 });
      };
      const out = join(folder, 'out');
      await shear('compress', model, '--out', out, '--data', starter?.path ?? '', '--ratio', '0.3', '--budget-tokens', '4096');
      await shear('verify', join(out, 'model'));
      await shear('generate', join(out, 'model'), '--prompt', 'Once', '--tokens', '2');
    } finally {
      await commandLine.remove();
    }
  }));
