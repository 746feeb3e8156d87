import { describe, expect, it } from 'vitest';
import { open, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeGgufModel } from '../../../main/engine/export/gguf-model';
import { writeSafetensorsModel } from '../../../main/engine/export/safetensors-model';
import { openSafetensors } from '../../../main/engine/formats/safetensors/reader';
import { openCheckpoint } from '../../../main/engine/model/checkpoint';
import type { ModelView } from '../../../main/engine/model/view';
import { rawSafetensors } from '../../support/raw-files';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { readAll, tinyConfig, tinyTensors, tinyView, writeTinyFolder } from '../../support/tiny-model';

async function readConfig(folder: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
}

describe('A written folder', () => {
  it('is split into shards with the index that transformers writes, and no tensor is cut', () =>
    withTemporaryFolder(async (root) => {
      const view = await writeTinyFolder(join(root, 'source'));
      const source = await openCheckpoint(join(root, 'source'));
      const { files } = await writeSafetensorsModel(view, source, join(root, 'out'), { dtype: 'F32', shardBytes: 12_000 });
      await source.close();
      const shards = files.map(({ path }) => path).filter((path) => path.endsWith('.safetensors'));
      const count = shards.length;
      expect(count).toBeGreaterThan(2);
      shards.forEach((path, index) => expect(path).toBe(join(root, 'out', `model-0000${index + 1}-of-0000${count}.safetensors`)));
      const index = JSON.parse(await readFile(join(root, 'out', 'model.safetensors.index.json'), 'utf8')) as { metadata: object; weight_map: Record<string, string> };
      const names = tinyTensors(view).map((tensor) => tensor.name);
      expect(Object.keys(index.weight_map)).toEqual([...names].sort());
      const elements = [...(await readAll(view)).values()].reduce((sum, { data }) => sum + data.length, 0);
      expect(index.metadata).toEqual({ total_parameters: elements, total_size: 4 * elements });
      for (const path of shards) {
        const file = await openSafetensors(path);
        expect(file.metadata.get('format')).toBe('pt');
        const bytes = [...file.tensors.values()].reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
        expect(bytes <= 12_000).toBe(true);
        for (const name of file.tensors.keys()) expect(join(root, 'out', index.weight_map[name] ?? '')).toBe(path);
        await file.close();
      }
      const written = await openCheckpoint(join(root, 'out'));
      expect(await readAll(written)).toEqual(await readAll(view));
      expect(written.problems).toEqual([]);
      await written.close();
    }));

  it('tells which weights float16 could not hold, whether they come in rows or whole', () =>
    withTemporaryFolder(async (root) => {
      const view = tinyView(tinyConfig());
      const name = 'model.norm.weight';
      await writeTinyFolder(join(root, 'source'), {}, {
        type: 'BF16',
        tensors: (tensors) => tensors.map((tensor) => (tensor.name === name ? { ...tensor, read: () => Promise.resolve(new Float32Array(32).fill(1e6)) } : { ...tensor, read: () => Promise.resolve(new Float32Array(tensor.shape.reduce((a, b) => a * b, 1)).fill(0.5)) })),
      });
      const source = await openCheckpoint(join(root, 'source'));
      const whole: ModelView = { config: view.config, readGlobal: (role) => source.readGlobal(role), readLayer: (layer, role) => source.readLayer(layer, role) };
      for (const [place, from] of [['rows', source], ['whole', whole]] as const) {
        const { notes } = await writeSafetensorsModel(from, source, join(root, place), { dtype: 'F16' });
        expect(notes).toEqual([`32 weights are too large for F16 and were set to its largest number; BF16 or F32 would keep them (in ${name}).`]);
      }
      // GGUF keeps vectors, such as this norm, in F32.
      expect((await writeGgufModel(source, source, join(root, 'a.gguf'), { dtype: 'F16' })).notes).toEqual([]);
      expect((await writeSafetensorsModel(source, source, join(root, 'bf16'), { dtype: 'BF16' })).notes).toEqual([]);
      await source.close();
      for (const file of await readdir(join(root, 'rows'))) expect(await readFile(join(root, 'rows', file))).toEqual(await readFile(join(root, 'whole', file)));
      const written = await openCheckpoint(join(root, 'rows'));
      expect((await written.readGlobal('finalNorm')).data[0]).toBe(65504);
      await written.close();
    }));

  it('states what the content says about the head (case 6), and has a format (case 11)', () =>
    withTemporaryFolder(async (root) => {
      const view = await writeTinyFolder(join(root, 'source'), {}, { settings: { tie_word_embeddings: true } });
      const bytes = await readFile(join(root, 'source', 'model.safetensors'));
      const end = 8 + Number(bytes.readBigUInt64LE(0));
      const header = JSON.parse(bytes.subarray(8, end).toString('utf8')) as Record<string, unknown>;
      delete header['__metadata__'];
      const bare = Buffer.concat([rawSafetensors(header, 0), bytes.subarray(end)]);
      await writeFile(join(root, 'source', 'model.safetensors'), bare);
      const source = await openCheckpoint(join(root, 'source'));
      await writeSafetensorsModel(source, source, join(root, 'out'), { dtype: 'F32' });
      await source.close();
      expect(await readConfig(join(root, 'out'))).toMatchObject({ tie_word_embeddings: false });
      const file = await openSafetensors(join(root, 'out', 'model.safetensors'));
      expect([file.metadata.get('format'), file.tensors.has('lm_head.weight')]).toEqual(['pt', true]);
      await file.close();
      const written = await openCheckpoint(join(root, 'out'));
      expect(await readAll(written)).toEqual(await readAll(view));
      expect(written.problems).toEqual([]);
      await written.close();
    }));

  it.each([
    { rope_parameters: { rope_type: 'yarn', rope_theta: 5000, factor: 4, original_max_position_embeddings: 16 }, rope_scaling: undefined, rope_theta: undefined },
    { rope_scaling: { type: 'dynamic', factor: 2 } },
    { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 } },
  ])('keeps its rotary settings and its own spelling of types: %j', (settings) =>
    withTemporaryFolder(async (root) => {
      const own = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
      await writeTinyFolder(join(root, 'source'), {}, { settings: { ...settings, dtype: 'bfloat16' } });
      const source = await openCheckpoint(join(root, 'source'));
      await writeSafetensorsModel(source, source, join(root, 'out'), { dtype: 'F16' });
      const written = await openCheckpoint(join(root, 'out'));
      expect(written.config.rope).toEqual(source.config.rope);
      expect(await readConfig(join(root, 'out'))).toMatchObject({ ...own, dtype: 'float16' });
      await written.close();
      await source.close();
    }));
});

it('Tensors beyond 4 GiB are read where they are', () =>
  withTemporaryFolder(async (folder) => {
    const path = join(folder, 'large.safetensors');
    const large = 5 * 2 ** 30;
    const head = rawSafetensors({ large: { dtype: 'F16', shape: [5 * 2 ** 19, 1024], data_offsets: [0, large] }, last: { dtype: 'F32', shape: [2], data_offsets: [large, large + 8] } }, 0);
    const handle = await open(path, 'w');
    await handle.write(head);
    const marks = Buffer.alloc(8);
    marks.writeFloatLE(0.5, 0);
    marks.writeFloatLE(-3, 4);
    await handle.write(marks, 0, 8, head.length + large);
    await handle.close();
    const file = await openSafetensors(path);
    expect([...((await file.tensors.get('last')?.readFloat32()) ?? [])]).toEqual([0.5, -3]);
    expect([...((await file.tensors.get('large')?.readBytes(large - 2, 2)) ?? [])]).toEqual([0, 0]);
    await file.close();
  }));
