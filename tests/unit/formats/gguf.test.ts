import { describe, expect, it } from 'vitest';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openGguf } from '../../../main/engine/formats/gguf/reader';
import type { GgufEntry } from '../../../main/engine/formats/gguf/types';
import { inferEntry } from '../../../main/engine/formats/gguf/value-writer';
import { writeGguf, type GgufTensorToWrite } from '../../../main/engine/formats/gguf/writer';
import { le, rawEntry, rawGguf, rawTensor } from '../../support/raw-files';
import { withTemporaryFolder } from '../../support/temporary-folder';

const ENTRIES: ReadonlyMap<string, GgufEntry> = new Map<string, GgufEntry>([
  ['general.architecture', inferEntry('llama')],
  ['a.uint8', { type: 'uint8', value: 200 }],
  ['a.int8', { type: 'int8', value: -5 }],
  ['a.uint16', { type: 'uint16', value: 65535 }],
  ['a.int16', { type: 'int16', value: -300 }],
  ['a.uint32', inferEntry(4294967295)],
  ['a.int32', inferEntry(-2147483648)],
  ['a.float32', inferEntry(0.5)],
  ['a.float64', { type: 'float64', value: Math.PI }],
  ['a.uint64', { type: 'uint64', value: 2 ** 40 }],
  ['a.int64', { type: 'int64', value: -(2n ** 62n) }],
  ['a.bool', inferEntry(true)],
  ['a.text', inferEntry('ü \ufeff 模型')],
  ['a.texts', inferEntry(['\ufefftoken', '', '▁'])],
  ['a.bools', inferEntry([true, false])],
  ['a.floats', inferEntry(Float32Array.of(1, -2.5))],
  ['a.whole', inferEntry(Int32Array.of(1, -2))],
  ['a.wide', inferEntry(BigInt64Array.of(-1n, 2n ** 60n))],
  ['a.nested', inferEntry([Int32Array.of(1, 2), Int32Array.of(3)])],
]);

function tensor(name: string, type: GgufTensorToWrite['type'], shape: readonly number[]): GgufTensorToWrite {
  const count = shape.reduce((product, size) => product * size, 1);
  return { name, type, shape, read: () => Promise.resolve(Float32Array.from({ length: count }, (_, index) => index / 4)) };
}

describe('GGUF files', () => {
  it('give back every kind of value, with its type, and the tensors', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.gguf');
      const size = await writeGguf(path, ENTRIES, [tensor('one', 'F16', [3, 5]), tensor('two', 'F32', [7])]);
      expect((await readFile(path)).length).toBe(size);
      const file = await openGguf(path);
      expect(file.entries).toEqual(ENTRIES);
      expect(file.tensors.get('one')?.shape).toEqual([3, 5]);
      expect(await file.tensors.get('one')?.readFloat32()).toEqual(await tensor('one', 'F16', [3, 5]).read());
      expect(await file.tensors.get('two')?.readFloat32()).toEqual(await tensor('two', 'F32', [7]).read());
      await file.close();
    }));

  it('written from what was read are byte-identical', () =>
    withTemporaryFolder(async (folder) => {
      await writeGguf(join(folder, 'a.gguf'), ENTRIES, [tensor('one', 'F16', [3, 5])]);
      const file = await openGguf(join(folder, 'a.gguf'));
      const again = [...file.tensors.values()].map((stored): GgufTensorToWrite => ({
        name: stored.name, type: 'F16', shape: stored.shape, read: () => stored.readFloat32(),
      }));
      await writeGguf(join(folder, 'b.gguf'), file.entries, again);
      await file.close();
      expect(await readFile(join(folder, 'b.gguf'))).toEqual(await readFile(join(folder, 'a.gguf')));
    }));

  it('hold vocabularies of megabytes, whose header is longer than any buffer to begin with', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'a.gguf');
      const tokens = Array.from({ length: 150_000 }, (_, index) => `token ${index}`);
      const scores = Float32Array.from({ length: 300_000 }, (_, index) => -index);
      await writeGguf(path, new Map([['t', inferEntry(tokens)], ['s', inferEntry(scores)], ['last', inferEntry(0.25)]]), []);
      const file = await openGguf(path);
      expect(file.metadata.get('t')).toEqual(tokens);
      expect(file.metadata.get('s')).toEqual(scores);
      expect(file.metadata.get('last')).toBe(0.25);
      await file.close();
    }));

  it.each([8, 16, 32, 64, 128, 4096].flatMap((alignment) => [2, 3].map((version) => ({ alignment, version }))))(
    'are read with an alignment of $alignment in version $version',
    ({ alignment, version }) =>
      withTemporaryFolder(async (folder) => {
        const path = join(folder, 'a.gguf');
        const step = Math.max(16, alignment);
        const head = rawGguf([rawEntry('general.alignment', 4, le.u32(alignment))], [rawTensor('one', [4], 0, 0), rawTensor('two', [4], 0, step)]);
        // The raw file is padded to 32; the data starts at the next multiple of its own alignment after the header.
        const headerBytes = 24 + 8 + 17 + 4 + 4 + 2 * (8 + 3 + 4 + 8 + 4 + 8);
        const start = Math.ceil(headerBytes / alignment) * alignment;
        const bytes = Buffer.alloc(start + step + 16);
        head.copy(bytes, 0, 0, headerBytes);
        bytes.writeUInt32LE(version, 4);
        bytes.writeFloatLE(1.5, start + step);
        await writeFile(path, bytes);
        const file = await openGguf(path);
        expect(file.version).toBe(version);
        expect(await file.tensors.get('two')?.readFloat32()).toEqual(Float32Array.of(1.5, 0, 0, 0));
        await file.close();
      }),
  );

  it('hold tensors beyond 4 GiB, which are read where they are', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'large.gguf');
      const large = 5 * 2 ** 30;
      const head = rawGguf([], [rawTensor('large', [1024, 5 * 2 ** 19], 1, 0), rawTensor('last', [2], 0, large)]);
      const handle = await open(path, 'w');
      await handle.write(head);
      const marks = Buffer.alloc(8);
      marks.writeFloatLE(0.5, 0);
      marks.writeFloatLE(-3, 4);
      await handle.write(marks, 0, 8, head.length + large);
      await handle.close();
      const file = await openGguf(path);
      expect(await file.tensors.get('last')?.readFloat32()).toEqual(Float32Array.of(0.5, -3));
      expect([...((await file.tensors.get('large')?.readBytes(large - 2, 2)) ?? [])]).toEqual([0, 0]);
      await file.close();
    }));
});
