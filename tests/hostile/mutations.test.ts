/** Thousands of small damages to real files: every reader must answer with a model or with an error meant for people. */
import { expect, it } from 'vitest';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeGgufModel } from '../../main/engine/export/gguf-model';
import { openGguf } from '../../main/engine/formats/gguf/reader';
import { openSafetensors } from '../../main/engine/formats/safetensors/reader';
import { inspectCheckpoint, openCheckpoint } from '../../main/engine/model/checkpoint';
import { AppError } from '../../main/engine/support/errors';
import { Random } from '../../main/engine/support/random';
import { withTemporaryFolder } from '../support/temporary-folder';
import { writeTinyFolder } from '../support/tiny-model';

const CASES = 1000;
/** About what the header of a one-layer model takes. */
const GGUF_HEADER_BYTES = 2000;

/** One random damage within the first `reach` bytes: a byte, a run, a cut, an insertion, or a large number. */
function damage(bytes: Buffer, random: Random, reach: number): Buffer {
  const damaged = Buffer.from(bytes);
  const at = random.nextInteger(Math.min(reach, bytes.length - 8));
  switch (random.nextInteger(5)) {
    case 0:
      damaged[at] = random.nextInteger(256);
      return damaged;
    case 1:
      return damaged.fill(random.nextInteger(256), at, Math.min(bytes.length, at + 1 + random.nextInteger(16)));
    case 2:
      return damaged.subarray(0, at);
    case 3:
      return Buffer.concat([damaged.subarray(0, at), Buffer.alloc(1 + random.nextInteger(9), 0x31), damaged.subarray(at)]);
    default:
      damaged.writeBigUInt64LE(BigInt(random.nextUint32()) << BigInt(random.nextInteger(33)), at);
      return damaged;
  }
}

/** Opens and reads a few values; anything thrown must be an AppError that is no bug of ours. */
async function survives(use: () => Promise<unknown>, description: string): Promise<void> {
  try {
    await use();
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'internal') {
      throw new Error(`${description}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
}

it('Damaged safetensors headers are read or refused, never mishandled', () =>
  withTemporaryFolder(async (folder) => {
    await writeTinyFolder(folder, { vocabulary: 8, layers: [{ heads: 4, kvHeads: 2, ffn: 4 }] });
    const bytes = await readFile(join(folder, 'model.safetensors'));
    const header = 8 + Number(bytes.readBigUInt64LE(0));
    const random = Random.fromSeed(1);
    const path = join(folder, 'damaged.safetensors');
    for (let index = 0; index < CASES; index++) {
      await writeFile(path, damage(bytes, random, header));
      await survives(async () => {
        const file = await openSafetensors(path);
        for (const tensor of file.tensors.values()) await tensor.readFloat32();
        await file.close();
      }, `safetensors case ${index}`);
    }
  }), 60_000);

it('Damaged GGUF headers are read or refused, never mishandled', () =>
  withTemporaryFolder(async (folder) => {
    await writeTinyFolder(folder, { vocabulary: 8, layers: [{ heads: 4, kvHeads: 2, ffn: 4 }] });
    const source = await openCheckpoint(folder);
    await writeGgufModel(source, source, join(folder, 'whole.gguf'), { dtype: 'F16' });
    await source.close();
    const bytes = await readFile(join(folder, 'whole.gguf'));
    const random = Random.fromSeed(2);
    const path = join(folder, 'damaged.gguf');
    for (let index = 0; index < CASES; index++) {
      await writeFile(path, damage(bytes, random, GGUF_HEADER_BYTES));
      await survives(async () => {
        const file = await openGguf(path);
        for (const tensor of file.tensors.values()) await tensor.readFloat32();
        await file.close();
        await inspectCheckpoint(path);
      }, `GGUF case ${index}`);
    }
  }), 60_000);

it('Damaged configurations and indexes are read or refused, never mishandled', () =>
  withTemporaryFolder(async (root) => {
    const folder = join(root, 'model');
    await mkdir(folder);
    await writeTinyFolder(folder, { vocabulary: 8, layers: [{ heads: 4, kvHeads: 2, ffn: 4 }] });
    const config = await readFile(join(folder, 'config.json'));
    const index = Buffer.from(JSON.stringify({ weight_map: { 'model.norm.weight': 'model.safetensors', 'lm_head.weight': 'model.safetensors' } }));
    const random = Random.fromSeed(3);
    for (let round = 0; round < CASES / 3; round++) {
      await writeFile(join(folder, 'config.json'), damage(config, random, config.length));
      await survives(() => inspectCheckpoint(folder), `config case ${round}`);
      await writeFile(join(folder, 'config.json'), config);
      await writeFile(join(folder, 'model.safetensors.index.json'), damage(index, random, index.length));
      await survives(() => inspectCheckpoint(folder), `index case ${round}`);
    }
    expect((await inspectCheckpoint(folder)).kind).toBe('huggingface');
  }), 60_000);
