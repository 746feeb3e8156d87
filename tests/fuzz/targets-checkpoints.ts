/** Parsers of models: safetensors, their index, config.json and its companions, GGUF whole and split, GGUF's blocks. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeGgufModel } from '../../main/engine/export/gguf-model';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { GGUF_LAYOUTS } from '../../main/engine/formats/gguf/blocks';
import { openGguf } from '../../main/engine/formats/gguf/reader';
import { writeGguf, type GgufTensorToWrite } from '../../main/engine/formats/gguf/writer';
import type { GgufEntry } from '../../main/engine/formats/gguf/types';
import { openSafetensors } from '../../main/engine/formats/safetensors/reader';
import { inspectCheckpoint, openCheckpoint, type Checkpoint } from '../../main/engine/model/checkpoint';
import { globalRoles, layerRoles } from '../../main/engine/model/view';
import type { Random } from '../../main/engine/support/random';
import { writeTinyFolder } from '../support/tiny-model';
import { exampleFile } from './samples';
import { damageBytes, pick } from './bytes';
import { ggufFields } from './gguf-fields';
import { damageJson } from './json';
import { fileCase, type FuzzTarget } from './target';

const SHAPE = { vocabulary: 8, layers: [{ heads: 4, kvHeads: 2, ffn: 4 }] };
const FAMILIES = join(import.meta.dirname, '../golden/data/families');
/** The window through which GGUF headers are read. */
const WINDOW_BYTES = 1 << 20;
const SMALL_BYTES = 1 << 16;
const MOST_MS = 1000;

/** Inspecting takes the same look as opening and puts it in other words, so one case in eight does both. */
async function readEverything(path: string, inspects: boolean): Promise<void> {
  if (inspects) await inspectCheckpoint(path);
  const model = await openCheckpoint(path);
  try {
    for (const role of globalRoles(model.config)) await model.readGlobal(role);
    for (let layer = 0; layer < model.config.layers.length; layer++) for (const role of layerRoles(model.config)) await model.readLayer(layer, role);
  } finally {
    await model.close();
  }
}

const safetensors: FuzzTarget = {
  name: 'safetensors',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    await writeTinyFolder(folder, SHAPE);
    const seed = readFileSync(join(folder, 'model.safetensors'));
    const start = 8 + Number(seed.readBigUInt64LE(0));
    const damageHeader = (random: Random): Buffer => {
      const header = damageJson(seed.subarray(8, start), random);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      return Buffer.concat([length, header, seed.subarray(start)]);
    };
    return (random) =>
      fileCase(join(folder, 'damaged.safetensors'), random.nextInteger(2) === 0 ? damageHeader(random) : damageBytes(seed, random, [0], start + 64), async (path) => {
        const file = await openSafetensors(path);
        try {
          for (const tensor of file.tensors.values()) await tensor.readFloat32();
        } finally {
          await file.close();
        }
      });
  },
};

const safetensorsIndex: FuzzTarget = {
  name: 'safetensors-index',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    await writeTinyFolder(join(folder, 'whole'), SHAPE);
    const source = await openCheckpoint(join(folder, 'whole'));
    await writeSafetensorsModel(source, source, join(folder, 'shards'), { dtype: 'F32', shardBytes: 2000 }).finally(() => source.close());
    const path = join(folder, 'shards', 'model.safetensors.index.json');
    const seed = readFileSync(path);
    return (random) => fileCase(path, damageJson(seed, random), () => readEverything(join(folder, 'shards'), random.nextInteger(8) === 0));
  },
};

/** Every golden family's config.json beside that family's weights. */
const config: FuzzTarget = {
  name: 'config',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const families = readdirSync(FAMILIES).map((name) => {
      const own = join(folder, name);
      mkdirSync(own);
      copyFileSync(join(FAMILIES, name, 'model.safetensors'), join(own, 'model.safetensors'));
      return { own, seed: readFileSync(join(FAMILIES, name, 'config.json')) };
    });
    return (random) => {
      const { own, seed } = pick(random, families);
      return fileCase(join(own, 'config.json'), damageJson(seed, random), async () => {
        if (random.nextInteger(8) === 0) await inspectCheckpoint(own);
        await (await openCheckpoint(own)).close();
      });
    };
  },
};

const CARD = '---\nlicense: other\nlicense_name: own\nlicense_link: LICENSE\nbase_model:\n- maker/model\n---\n# Model\n';
const COMPANIONS: Readonly<Record<string, string>> = {
  'generation_config.json': '{"bos_token_id": 1, "eos_token_id": [2, 3], "temperature": 0.6}',
  'added_tokens.json': '{"<|im_start|>": 8, "<|im_end|>": 9}',
  'chat_template.json': '{"chat_template": "{{ messages[0].content }}"}',
  'chat_template.jinja': '{{ messages[0].content }}',
  'tokenizer_config.json': '{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": [{"name": "default", "template": "{{ bos_token }}"}], "added_tokens_decoder": {"8": {"content": "x"}}}',
  'README.md': CARD,
};

const companions: FuzzTarget = {
  name: 'companions',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    await writeTinyFolder(folder, SHAPE);
    copyFileSync(exampleFile('tokenizer.json'), join(folder, 'tokenizer.json'));
    for (const [name, text] of Object.entries(COMPANIONS)) writeFileSync(join(folder, name), text);
    return (random) => {
      const [name, text] = pick(random, Object.entries(COMPANIONS));
      const bytes = name.endsWith('.json') ? damageJson(Buffer.from(text), random) : damageBytes(Buffer.from(text), random);
      return fileCase(join(folder, name), bytes, async () => {
        try {
          await inspectCheckpoint(folder);
        } finally {
          writeFileSync(join(folder, name), text);
        }
      });
    };
  },
};

async function writeGgufs(folder: string): Promise<Buffer[]> {
  await writeTinyFolder(join(folder, 'source'), SHAPE);
  const source = await openCheckpoint(join(folder, 'source'));
  const example = await openCheckpoint(exampleFile(''));
  const write = async (from: Checkpoint, name: string): Promise<Buffer> => {
    await writeGgufModel(from, from, join(folder, name), { dtype: 'F16' });
    return readFileSync(join(folder, name));
  };
  try {
    const plain = await write(source, 'plain.gguf');
    // Version 2 differs from 3 by its number alone, in files of this byte order.
    const older = Buffer.from(plain);
    older.writeUInt32LE(2, 4);
    return [plain, older, await writeAllTypes(join(folder, 'types.gguf')), await write(example, 'vocabulary.gguf')];
  } finally {
    await source.close();
    await example.close();
  }
}

/** A file with one tensor of every type that is written. */
async function writeAllTypes(path: string): Promise<Buffer> {
  const types: readonly GgufTensorToWrite['type'][] = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q4_K', 'Q5_K', 'Q6_K'];
  const entries = new Map<string, GgufEntry>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['a.list', { type: 'array', elementType: 'uint8', value: Uint8Array.of(1, 2, 3) }],
    ['a.flag', { type: 'bool', value: true }],
    ['a.double', { type: 'float64', value: 1.5 }],
    ['a.wide', { type: 'uint64', value: 2n ** 60n }],
    ['a.lists', { type: 'array', elementType: 'array', value: [['a', 'b'], ['c']] }],
  ]);
  const values = Float32Array.from({ length: 512 }, (_, index) => Math.sin(index));
  await writeGguf(path, entries, types.map((type) => ({ name: type, type, shape: [2, 256], read: () => Promise.resolve(values) })));
  return readFileSync(path);
}

const gguf: FuzzTarget = {
  name: 'gguf',
  fixedBytes: WINDOW_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    const seeds = (await writeGgufs(folder)).map((bytes) => ({ bytes, ...ggufFields(bytes) }));
    return (random) => {
      // The file with a vocabulary is a hundred times as large.
      const { bytes, fields, headerBytes } = pick(random, random.nextInteger(16) === 0 ? seeds : seeds.slice(0, -1));
      return fileCase(join(folder, 'damaged.gguf'), damageBytes(bytes, random, fields, headerBytes), async (path) => {
        const file = await openGguf(path);
        try {
          for (const tensor of file.tensors.values()) await tensor.readFloat32();
        } finally {
          await file.close();
        }
        await inspectCheckpoint(path);
      });
    };
  },
};

const splitGguf: FuzzTarget = {
  name: 'gguf-split',
  fixedBytes: WINDOW_BYTES,
  mostMs: MOST_MS,
  async prepare(folder) {
    await writeGgufs(folder);
    const whole = await openGguf(join(folder, 'plain.gguf'));
    const stored = [...whole.tensors.values()];
    const own = join(folder, 'split');
    mkdirSync(own);
    const parts = await Promise.all([0, 1].map(async (part) => {
      const split: [string, GgufEntry][] = [
        ['split.no', { type: 'uint16', value: part }], ['split.count', { type: 'uint16', value: 2 }], ['split.tensors.count', { type: 'int32', value: stored.length }],
      ];
      const path = join(own, `tiny-0000${part + 1}-of-00002.gguf`);
      const tensors = stored.filter((_, index) => index % 2 === part).map((tensor): GgufTensorToWrite => ({ name: tensor.name, type: 'F32', shape: tensor.shape, read: () => tensor.readFloat32() }));
      await writeGguf(path, new Map([...(part === 0 ? whole.entries : []), ...split]), tensors);
      const bytes = readFileSync(path);
      return { path, bytes, ...ggufFields(bytes) };
    }));
    await whole.close();
    return (random) => {
      const { path, bytes, fields, headerBytes } = pick(random, parts);
      return fileCase(path, damageBytes(bytes, random, fields, headerBytes), async () => {
        try {
          await readEverything(own, random.nextInteger(8) === 0);
        } finally {
          writeFileSync(path, bytes);
        }
      });
    };
  },
};

const blocks: FuzzTarget = {
  name: 'gguf-blocks',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare() {
    const layouts = Object.values(GGUF_LAYOUTS);
    return (random) => {
      const layout = pick(random, layouts);
      const count = random.nextInteger(4);
      const bytes = new Uint8Array(count * layout.blockBytes).map(() => random.nextInteger(4) === 0 ? pick(random, [0, 0x7f, 0x80, 0xff]) : random.nextInteger(256));
      return { bytes: bytes.length, use: () => layout.decode(bytes, new Float32Array(count * layout.blockElements), 0) };
    };
  },
};

export const CHECKPOINT_TARGETS: readonly FuzzTarget[] = [safetensors, safetensorsIndex, config, companions, gguf, splitGguf, blocks];
