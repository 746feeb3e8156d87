/** ONNX exports as a person gets them: written, opened again by the runtime, compared; whole or not at all. */
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { exportTarget } from '../../../main/cli/recipe-options';
import { ONNX_DATA, writeOnnxModel } from '../../../main/engine/export/onnx-model';
import { compareLogits } from '../../../main/engine/export/verify';
import { exampleModel } from '../../../main/engine/jobs/bundled';
import { targetPath } from '../../../main/engine/jobs/export-model';
import { exportCheckpoint } from '../../../main/engine/jobs/export-request';
import { computeOnnxLogits } from '../../../main/engine/jobs/onnx-logits';
import { programsThatOpen } from '../../../main/engine/jobs/opens-in';
import { weightBytes } from '../../../main/engine/jobs/size';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';
import { ONNX_DTYPES, type ExportTarget } from '../../../preload/contract/recipe';
import { makeSmallDisk } from '../../support/small-disk';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { tinyConfig, writeTinyFolder } from '../../support/tiny-model';

const IDS = [1, 403, 407, 261, 378, 432, 383, 286];

describe('an ONNX export', () => {
  it.each(ONNX_DTYPES)('as %s gives the answers of the model it was made from, in the bytes that were forecast', async (dtype) => {
    await withTemporaryFolder(async (folder) => {
      const target = { format: 'onnx', dtype } as const;
      const exported = await exportCheckpoint(exampleModel(), { target, out: path.join(folder, 'a'), threads: 1 });
      expect(exported.maxLogitDifference).toBeLessThanOrEqual(exported.allowedDifference);
      if (dtype === 'F32') expect(exported.maxLogitDifference).toBeLessThanOrEqual(1e-4);
      expect(exported.notes.some((note) => note.includes('INT4'))).toBe(dtype === 'INT4');
      for (const file of exported.files) expect((await stat(file.path)).size).toBe(file.bytes);
      const source = await openCheckpoint(exampleModel());
      await source.close();
      const data = exported.files.find((file) => file.path.endsWith(ONNX_DATA))?.bytes ?? 0;
      expect(Math.abs(data / weightBytes(source.config, target) - 1)).toBeLessThan(0.01);
    });
  });

  it('shows a changed weight in its logits', async () => {
    await withTemporaryFolder(async (folder) => {
      const source = await openCheckpoint(exampleModel());
      try {
        const out = path.join(folder, 'a');
        await writeOnnxModel(source, source, out, { dtype: 'F32' });
        const logits = (): Promise<Float32Array> => computeOnnxLogits(out, source.config, IDS, { threads: 1, memory: 'spare' });
        const before = await logits();
        const file = await open(path.join(out, ONNX_DATA), 'r+');
        await file.write(Buffer.alloc(65536, 0x3f), 0, 65536, 4 * 512 * 64);
        await file.close();
        expect(compareLogits(before, await logits()).maxDifference).not.toBeLessThanOrEqual(1e-3);
      } finally {
        await source.close();
      }
    });
  });

  it('is refused on a disk that is too small, and leaves nothing on one that fills up meanwhile', async () => {
    await withTemporaryFolder(async (folder) => {
      await writeTinyFolder(path.join(folder, 'source'), { vocabulary: 4096, hidden: 64 });
      const source = await openCheckpoint(path.join(folder, 'source'));
      const disk = await makeSmallDisk(3 << 20);
      try {
        const place = path.join(disk.folder, 'place');
        await mkdir(place);
        // Somebody else takes the disk as soon as the first weight is wanted.
        const filling = {
          ...source,
          globalRows: () => null,
          readGlobal: async (role: Parameters<typeof source.readGlobal>[0]) => {
            await disk.fill();
            return source.readGlobal(role);
          },
        };
        await expect(writeOnnxModel(filling, source, path.join(place, 'a'), { dtype: 'F32' })).rejects.toMatchObject({ code: 'disk' });
        expect(await readdir(place)).toEqual([]);
        await expect(writeOnnxModel(source, source, path.join(place, 'a'), { dtype: 'F32' })).rejects.toMatchObject({ code: 'disk' });
        expect(await readdir(place)).toEqual([]);
      } finally {
        await disk.close();
        await source.close();
      }
    });
  });

  it('has a folder of its own beside others', () => {
    const all: readonly ExportTarget[] = [{ format: 'safetensors', dtype: 'F16' }, { format: 'onnx', dtype: 'INT4' }];
    expect(all.map((target) => targetPath('out', 'm', target, all))).toEqual([path.join('out', 'model'), path.join('out', 'onnx')]);
  });

  it('is chosen by --format onnx with a type of its own', () => {
    expect(exportTarget('onnx', 'int4')).toEqual({ format: 'onnx', dtype: 'INT4' });
    expect(exportTarget('onnx', undefined)).toEqual({ format: 'onnx', dtype: 'F16' });
    expect(() => exportTarget('onnx', 'Q4_K')).toThrow('--dtype of an ONNX model is one of F32, F16, INT4; found "Q4_K"');
  });

  it('says which programs open it', () => {
    const opens = programsThatOpen('quality', { format: 'onnx', dtype: 'F16' }, tinyConfig());
    expect(opens.filter((one) => one.opens).map(({ program }) => program)).toEqual(['ONNX Runtime', 'onnxruntime-genai']);
  });
});
