/** Models and texts that cannot be used, as people come by them, and what the program has to say of each to all its users. */
import { copyFile, cp, mkdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors } from '../../main/engine/formats/safetensors/reader';
import { writeSafetensors } from '../../main/engine/formats/safetensors/writer';
import type { ErrorCode } from '../../main/engine/support/errors';

const root = join(import.meta.dirname, '..', '..');
const EXAMPLE_MODEL = join(root, 'resources', 'example', 'stories260K');
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;

/** One thing that is no usable model. */
export interface BadModel {
  readonly name: string;
  readonly code: ErrorCode;
  /** Words of the message: what, where, expected and found. */
  readonly says: readonly (string | RegExp)[];
  /** Words of the way out. */
  readonly hint: RegExp;
  /** Makes it in an empty folder and answers what a person would choose or drop. */
  make(folder: string): Promise<string>;
}

/** The bundled example in two files, as larger models come. Returns the folder. */
async function makeShards(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of ['config.json', 'tokenizer.json', 'tokenizer_config.json']) await copyFile(join(EXAMPLE_MODEL, name), join(folder, name));
  const file = await openSafetensors(join(EXAMPLE_MODEL, 'model.safetensors'));
  try {
    const tensors = [...file.tensors.values()].map((tensor) => ({ name: tensor.name, type: 'F32', shape: tensor.shape, read: () => tensor.readFloat32() }) as const);
    const half = Math.ceil(tensors.length / 2);
    const parts = [tensors.slice(0, half), tensors.slice(half)];
    for (const [index, name] of SHARDS.entries()) await writeSafetensors(join(folder, name), parts[index] ?? []);
    const map = Object.fromEntries(tensors.map(({ name }, index) => [name, SHARDS[index < half ? 0 : 1]]));
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  } finally {
    await file.close();
  }
  return folder;
}

export const BAD_MODELS: readonly BadModel[] = [
  {
    name: 'a file that is no model',
    code: 'format',
    says: ['holiday.png is not a model file'],
    hint: /model folder .* or a \.gguf file/,
    make: async (folder) => {
      const path = join(folder, 'holiday.png');
      await writeFile(path, 'a picture');
      return path;
    },
  },
  {
    name: 'a folder that is no model',
    code: 'format',
    says: ['The folder photos is not a model', 'config.json', '.gguf'],
    hint: /Choose the folder in which config\.json/,
    make: async (folder) => {
      const path = join(folder, 'photos');
      await mkdir(path);
      return path;
    },
  },
  {
    name: 'a file called .gguf that is none',
    code: 'format',
    says: ['fake.gguf'],
    hint: /./,
    make: async (folder) => {
      const path = join(folder, 'fake.gguf');
      await writeFile(path, 'This was saved from a web page with an error message on it.');
      return path;
    },
  },
  {
    name: 'a truncated shard',
    code: 'format',
    says: [SHARDS[1], '1000 bytes are missing'],
    hint: /download/i,
    make: async (folder) => {
      const path = await makeShards(join(folder, 'cut-short'));
      const { size } = await stat(join(path, SHARDS[1]));
      await truncate(join(path, SHARDS[1]), size - 1000);
      return path;
    },
  },
  {
    name: 'a missing shard',
    code: 'format',
    says: ['1 of 2 weight files', SHARDS[0]],
    hint: /download/i,
    make: async (folder) => {
      const path = await makeShards(join(folder, 'incomplete'));
      await rm(join(path, SHARDS[0]));
      return path;
    },
  },
  {
    name: 'a folder with pickled weights only',
    code: 'unsupported',
    says: ['pytorch_model.bin', 'pickled', 'can run code'],
    hint: /\.safetensors/,
    make: async (folder) => {
      const path = join(folder, 'pickled');
      await cp(EXAMPLE_MODEL, path, { recursive: true });
      await rm(join(path, 'model.safetensors'));
      await writeFile(join(path, 'pytorch_model.bin'), 'PK');
      return path;
    },
  },
  {
    name: 'a configuration that does not fit the tensors',
    code: 'format',
    says: ['191 of the 200 tensors', 'model.embed_tokens.weight is [100, 64] instead of [32000, 2048]'],
    hint: /config\.json/,
    make: () => Promise.resolve(join(root, 'tests', 'data', 'mismatched-llama')),
  },
];

/** Writes a text in the encoding of old Windows programs. Its third sentence has the first byte that is not UTF-8. */
export async function makeLatinText(folder: string): Promise<string> {
  const path = join(folder, 'old-letters.txt');
  await writeFile(path, Buffer.from('Dear aunt,\nthank you for the cake.\nYours, Andr\u00e9\n', 'latin1'));
  return path;
}
