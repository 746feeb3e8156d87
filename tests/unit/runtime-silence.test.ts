import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ModelFile } from '../../main/engine/runtime/model-file';
import { withTemporaryFolder } from '../support/temporary-folder';

it('The runtime counts and reports nothing: it leaves no file of that in the temporary folder', () =>
  withTemporaryFolder(async (folder) => {
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = folder;
    delete process.env['ORT_DISABLE_TELEMETRY'];
    try {
      const file = await ModelFile.open(join(import.meta.dirname, '../data/onnx-node/test_add/model.onnx'), { threads: 1, memory: 'fast' });
      await file.dispose();
      expect(await readdir(folder)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
    }
  }));
