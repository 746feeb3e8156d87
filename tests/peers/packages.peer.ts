/** The Python packages `gguf` and `safetensors` read what we write: the same names, shapes and numbers, bit for bit, as our own readers. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { GGUF_DTYPES } from '../../preload/contract/recipe';
import { writeGgufModel } from '../../main/engine/export/gguf-model';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { openGguf } from '../../main/engine/formats/gguf/reader';
import { openSafetensors } from '../../main/engine/formats/safetensors/reader';
import type { StoredTensor } from '../../main/engine/formats/stored-tensor';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { withTemporaryFolder } from '../support/temporary-folder';
import { writeTinyFolder } from '../support/tiny-model';

const run = promisify(execFile);
const python = path.join(process.env['SHEAR_PEERS'] ?? '', 'python', 'bin', 'python');

/** Rows of 256, so that every block type finds whole blocks. */
const SIZES = { hidden: 256, headDim: 64, layers: [{ heads: 4, kvHeads: 2, ffn: 512 }, { heads: 4, kvHeads: 2, ffn: 512 }] };

async function expectSameAsPackage(written: string, ours: ReadonlyMap<string, StoredTensor>, folder: string): Promise<void> {
  const out = path.join(folder, 'read.safetensors');
  await run(python, [path.join(import.meta.dirname, 'read-packages.py'), written, out]);
  const theirs = await openSafetensors(out);
  expect([...theirs.tensors.keys()].sort()).toEqual([...ours.keys()].sort());
  for (const [name, tensor] of ours) {
    expect(theirs.tensors.get(name)?.shape, name).toEqual(tensor.shape);
    expect(await theirs.tensors.get(name)?.readFloat32(), name).toEqual(await tensor.readFloat32());
  }
  await theirs.close();
}

describe('the packages that define the formats read what we write', () => {
  it.each(GGUF_DTYPES)('gguf, as %s', (dtype) =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(path.join(folder, 'source'), SIZES);
      const source = await openCheckpoint(path.join(folder, 'source'));
      const written = path.join(folder, 'a.gguf');
      await writeGgufModel(source, source, written, { dtype });
      await source.close();
      const file = await openGguf(written);
      await expectSameAsPackage(written, file.tensors, folder);
      await file.close();
    }));

  it.each(['F32', 'F16', 'BF16'] as const)('safetensors, as %s in shards', (dtype) =>
    withTemporaryFolder(async (folder) => {
      await writeTinyFolder(path.join(folder, 'source'), SIZES);
      const source = await openCheckpoint(path.join(folder, 'source'));
      const written = path.join(folder, 'model');
      const { files } = await writeSafetensorsModel(source, source, written, { dtype, shardBytes: 1_000_000 });
      await source.close();
      const shards = await Promise.all(files.flatMap((file) => (file.path.endsWith('.safetensors') ? [openSafetensors(file.path)] : [])));
      expect(shards.length).toBeGreaterThan(1);
      await expectSameAsPackage(written, new Map(shards.flatMap((shard) => [...shard.tensors])), folder);
      for (const shard of shards) await shard.close();
    }));
});
