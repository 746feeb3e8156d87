/** Split GGUF files: opened as one model from any part; what is missing, renamed or mixed up is named. */
import { copyFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeGgufModel } from '../../../main/engine/export/gguf-model';
import { openGguf } from '../../../main/engine/formats/gguf/reader';
import type { GgufEntry } from '../../../main/engine/formats/gguf/types';
import { writeGguf, type GgufTensorToWrite } from '../../../main/engine/formats/gguf/writer';
import { inspectCheckpoint, openCheckpoint } from '../../../main/engine/model/checkpoint';
import { rawEntry, rawGguf } from '../../support/raw-files';
import { EXAMPLE_MODEL } from '../../support/example-model';
import { withTemporaryFolder } from '../../support/temporary-folder';

/** Writes the bundled model in one file and in three parts; answers the paths. */
async function writeParts(folder: string): Promise<{ whole: string; parts: string[] }> {
  const whole = join(folder, '..', `${basename(folder)}-whole.gguf`);
  const source = await openCheckpoint(EXAMPLE_MODEL);
  await writeGgufModel(source, source, whole, { dtype: 'F32', replace: true });
  await source.close();
  const file = await openGguf(whole);
  const tensors = [...file.tensors.values()].map((stored): GgufTensorToWrite => ({ name: stored.name, type: 'F32', shape: stored.shape, read: () => stored.readFloat32() }));
  const parts: string[] = [];
  for (let part = 0; part < 3; part++) {
    const split: [string, GgufEntry][] = [
      ['split.no', { type: 'uint16', value: part }], ['split.count', { type: 'uint16', value: 3 }], ['split.tensors.count', { type: 'int32', value: tensors.length }],
    ];
    const path = join(folder, `tiny-0000${part + 1}-of-00003.gguf`);
    // As llama.cpp splits: the metadata is in the first part alone.
    await writeGguf(path, new Map([...(part === 0 ? file.entries : []), ...split]), tensors.filter((_, index) => index % 3 === part));
    parts.push(path);
  }
  await file.close();
  return { whole, parts };
}

const withParts = (work: (folder: string, files: { whole: string; parts: string[] }) => Promise<void>): Promise<void> =>
  withTemporaryFolder(async (folder) => {
    const files = await writeParts(folder);
    try {
      await work(folder, files);
    } finally {
      await rm(files.whole, { force: true });
    }
  });

describe('A split GGUF model', () => {
  it('is the same model from any of its parts, and from their folder', () =>
    withParts(async (folder, { whole, parts }) => {
      const expected = await openCheckpoint(whole);
      for (const path of [...parts, folder]) {
        const found = await openCheckpoint(path);
        expect(found.config).toEqual(expected.config);
        expect(found.sizeBytes).toBe(expected.sizeBytes);
        expect(found.weightFiles).toHaveLength(3);
        expect(await found.readLayer(4, 'down')).toEqual(await expected.readLayer(4, 'down'));
        if (found.metadata.kind === 'gguf') expect([...found.metadata.entries.keys()].filter((key) => key.startsWith('split.'))).toEqual([]);
        await found.close();
      }
      await expected.close();
    }));

  it('is found where the parts are links, as in the cache of Hugging Face', () =>
    withParts(async (folder, { parts }) => {
      for (const [index, path] of parts.entries()) {
        await rename(path, join(folder, `blob${index}`));
        await symlink(`blob${index}`, path);
      }
      const found = await openCheckpoint(parts[1] ?? '');
      expect(found.weightFiles.map((path) => basename(path))).toEqual(parts.map((path) => basename(path)));
      await found.close();
    }));

  it('tells all missing parts by name (case 13)', () =>
    withParts(async (_, { parts }) => {
      const [first = '', second = '', third = ''] = parts;
      await rm(first);
      await rm(third);
      await expect(openCheckpoint(second)).rejects.toThrow(/part 2 of 3 .*2 of its parts .*tiny-00001-of-00003\.gguf, tiny-00003-of-00003\.gguf/);
      expect((await inspectCheckpoint(second)).problems[0]?.code).toBe('not-found');
    }));

  it('tells a part that lost its name', () =>
    withParts(async (folder, { parts }) => {
      await rename(parts[1] ?? '', join(folder, 'mine.gguf'));
      await expect(openCheckpoint(join(folder, 'mine.gguf'))).rejects.toThrow(/part 2 of 3 .*its name does not say so/);
    }));

  it('tells parts of another set, doubled tensors, and tensors that are missing', () =>
    withParts(async (_, { parts }) => {
      const [first = '', second = '', third = ''] = parts;
      await copyFile(second, third);
      await expect(openCheckpoint(first)).rejects.toThrow(/tiny-00003-of-00003\.gguf is not part 3 of 3/);
      const none = [rawEntry('split.no', 2, Buffer.from([2, 0])), rawEntry('split.count', 2, Buffer.from([3, 0]))];
      await writeFile(third, rawGguf(none));
      await expect(openCheckpoint(first)).rejects.toThrow(/tensors; the first one promises/);
      const file = await openGguf(second);
      const tensors = [...file.tensors.values()].map((stored): GgufTensorToWrite => ({ name: stored.name, type: 'F32', shape: stored.shape, read: () => stored.readFloat32() }));
      await writeGguf(third, new Map<string, GgufEntry>([['split.no', { type: 'uint16', value: 2 }], ['split.count', { type: 'uint16', value: 3 }]]), tensors);
      await file.close();
      await expect(openCheckpoint(first)).rejects.toThrow(/which another part holds too/);
    }));
});
