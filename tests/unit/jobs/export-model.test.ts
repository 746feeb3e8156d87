/** Exports of the bundled model: every format is written, re-opened and compared; a damaged file does not pass. */
import { mkdtemp, open, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exampleModel } from '../../../main/engine/jobs/bundled';
import { exportCheckpoint } from '../../../main/engine/jobs/export-request';
import { verifyModel } from '../../../main/engine/jobs/verify-model';
import { GGUF_DTYPES, type ExportTarget } from '../../../preload/contract/recipe';

let folder: string;
const text = 'Once upon a time there was a little dog. It liked to run in the park, and it had a big red ball. '.repeat(4);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shear-export-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function exportTo(target: ExportTarget, out: string): ReturnType<typeof exportCheckpoint> {
  return exportCheckpoint(exampleModel(), { target, out: join(folder, out), threads: 1 });
}

describe('an export', () => {
  it.each<ExportTarget>([
    { format: 'safetensors', dtype: 'F32' }, { format: 'safetensors', dtype: 'F16' }, { format: 'safetensors', dtype: 'BF16' },
    ...GGUF_DTYPES.map((dtype) => ({ format: 'gguf', dtype }) as const),
  ])('as %j gives the answers of the model it was made from', async (target) => {
    const exported = await exportTo(target, target.format === 'gguf' ? 'a.gguf' : 'a');
    expect(exported.maxLogitDifference).toBeLessThanOrEqual(exported.allowedDifference);
    if (target.dtype === 'F32') expect(exported.allowedDifference).toBeLessThanOrEqual(0.002);
    for (const file of exported.files) expect((await stat(file.path)).size).toBe(file.bytes);
    const verification = await verifyModel(exported.path, { against: exampleModel(), text, threads: 1 });
    expect(verification).toMatchObject({ ok: true, differences: [] });
  });

  it('goes into a folder that exists under a name of its own, and replaces nothing', async () => {
    const exported = await exportTo({ format: 'gguf', dtype: 'F16' }, '.');
    // A GGUF file has no place for the licence's text, so that goes with it.
    expect(await readdir(folder)).toEqual(['LICENSE', 'stories260K-f16.gguf']);
    expect(await readFile(join(folder, 'LICENSE'))).toEqual(await readFile(join(exampleModel(), 'LICENSE')));
    expect(exported.files.map(({ path }) => path)).toEqual([exported.path, join(folder, 'LICENSE')]);
    expect(exported.path).toBe(join(folder, 'stories260K-f16.gguf'));
    await expect(exportTo({ format: 'gguf', dtype: 'F16' }, '.')).rejects.toMatchObject({ code: 'usage' });
  });

  it('leaves nothing when it is cancelled', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(exportCheckpoint(exampleModel(), { target: { format: 'gguf', dtype: 'F16' }, out: join(folder, 'a.gguf'), threads: 1, signal: controller.signal })).rejects.toMatchObject({ code: 'cancelled' });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('verifying', () => {
  it('accepts the model alone', async () => {
    expect(await verifyModel(exampleModel(), { text, threads: 1 })).toMatchObject({ ok: true });
  });

  it('accepts two files of one original in different number formats', async () => {
    const [one, other] = [await exportTo({ format: 'safetensors', dtype: 'F16' }, 'a'), await exportTo({ format: 'safetensors', dtype: 'BF16' }, 'b')];
    expect(await verifyModel(one.path, { against: other.path, text, threads: 1 })).toMatchObject({ ok: true });
    expect(await verifyModel(other.path, { against: one.path, text, threads: 1 })).toMatchObject({ ok: true });
  });

  it('does not pass a file in which weights were changed', async () => {
    const exported = await exportTo({ format: 'safetensors', dtype: 'F32' }, 'a');
    const path = join(exported.path, 'model.safetensors');
    const bytes = await readFile(path);
    const file = await open(path, 'r+');
    // The last kilobytes hold weights of the last tensor in file order.
    await file.write(Buffer.alloc(4096, 0x3f), 0, 4096, bytes.length - 4096);
    await file.close();
    const verification = await verifyModel(exported.path, { against: exampleModel(), text, threads: 1 });
    expect(verification.ok).toBe(false);
    expect(verification.differences[0]?.what).toBe('logits');
  });
});
