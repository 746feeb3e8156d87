import { describe, expect, it } from 'vitest';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors } from '../../../main/engine/formats/safetensors/reader';
import { writeSafetensors } from '../../../main/engine/formats/safetensors/writer';
import type { TensorToWrite } from '../../../main/engine/formats/tensor-stream';
import { rawSafetensors } from '../../support/raw-files';
import { withTemporaryFolder } from '../../support/temporary-folder';

const VALUES = Float32Array.from({ length: 6 }, (_, index) => index - 2.5);

function tensor(name: string, type: TensorToWrite['type'] = 'F32', shape: readonly number[] = [2, 3]): TensorToWrite {
  return { name, type, shape, read: () => Promise.resolve(VALUES) };
}

describe('safetensors', () => {
  it('come back as they were written, in every written type', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.safetensors');
      const size = await writeSafetensors(path, [tensor('one'), tensor('two', 'F16'), tensor('three', 'BF16', [6])]);
      const file = await openSafetensors(path);
      expect((await readFile(path)).length).toBe(size);
      expect(file.metadata.get('format')).toBe('pt');
      expect([...file.tensors.keys()]).toEqual(['one', 'two', 'three']);
      for (const stored of file.tensors.values()) expect(await stored.readFloat32()).toEqual(VALUES);
      expect(file.tensors.get('three')?.shape).toEqual([6]);
      await file.close();
    }));

  it('written from what was read are byte-identical', () =>
    withTemporaryFolder(async (folder) => {
      const first = join(folder, 'a.safetensors');
      const second = join(folder, 'b.safetensors');
      await writeSafetensors(first, [tensor('one'), tensor('two', 'F16')]);
      const file = await openSafetensors(first);
      const again = [...file.tensors.values()].map((stored): TensorToWrite => ({
        name: stored.name,
        type: stored.storedType === 'F16' ? 'F16' : 'F32',
        shape: stored.shape,
        read: () => stored.readFloat32(),
      }));
      await writeSafetensors(second, again);
      await file.close();
      expect(await readFile(second)).toEqual(await readFile(first));
    }));

  it('with integers, F64, empty shapes and scalars are read', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.safetensors');
      const header = {
        none: { dtype: 'F32', shape: [0], data_offsets: [0, 0] },
        scalar: { dtype: 'F64', shape: [], data_offsets: [0, 8] },
        whole: { dtype: 'I64', shape: [1], data_offsets: [8, 16] },
        bytes: { dtype: 'U8', shape: [2], data_offsets: [16, 18] },
      };
      const bytes = rawSafetensors(header, 18);
      bytes.writeDoubleLE(0.5, bytes.length - 18);
      bytes.writeBigInt64LE(-7n, bytes.length - 10);
      bytes.writeUInt8(200, bytes.length - 1);
      await writeFile(path, bytes);
      const file = await openSafetensors(path);
      const read = async (name: string): Promise<number[]> => Array.from((await file.tensors.get(name)?.readFloat32()) ?? [NaN]);
      expect(await read('none')).toEqual([]);
      expect(await read('scalar')).toEqual([0.5]);
      expect(await read('whole')).toEqual([-7]);
      expect(await read('bytes')).toEqual([0, 200]);
      await file.close();
    }));

  it('leave nothing behind when a tensor cannot be read, has the wrong length, or the work is cancelled', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.safetensors');
      const failing: TensorToWrite = { ...tensor('two'), read: () => Promise.reject(new Error('unreadable')) };
      await expect(writeSafetensors(path, [tensor('one'), failing])).rejects.toThrow('unreadable');
      await expect(writeSafetensors(path, [tensor('one', 'F32', [7])])).rejects.toThrow(/one should have 7 values/);
      await expect(writeSafetensors(path, [tensor('one')], { signal: AbortSignal.abort() })).rejects.toThrow(/cancelled/);
      expect(await readdir(folder)).toEqual([]);
    }));
});
