/**
 * Folders that we write are opened by transformers with the same logits: families, widths per layer (through the
 * modelling file), shards, rotary rules, head counts that need another class. Small random models, float32.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeViewLogits } from '../../main/engine/evaluation/view-logits';
import { Executor } from '../../main/engine/execution/executor';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { EXAMPLE_MODEL } from '../support/example-model';
import { tinyConfig, tinyView, writeTinyFolder, type TinyOptions } from '../support/tiny-model';

const run = promisify(execFile);
const resultSchema = v.object({ positions: v.array(v.array(v.tuple([v.number(), v.number()]))) });
const python = path.join(process.env['SHEAR_PEERS'] ?? '', 'python', 'bin', 'python');
/** Both compute in float32 from the same weights; the sums come in another order. */
const TOLERANCE = 1e-4;

const QKV = ['q', 'k', 'v'] as const;
const ALL = [...QKV, 'o', 'gate', 'up', 'down'] as const;
const UNEVEN = [{ heads: 4, kvHeads: 2, ffn: 24 }, { heads: 2, kvHeads: 1, ffn: 10 }, { heads: 6, kvHeads: 3, ffn: 40 }];
const ODD = [{ heads: 3, kvHeads: 3, ffn: 16 }, { heads: 3, kvHeads: 3, ffn: 16 }];
const YARN = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 };
const LLAMA3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 16 };

const MODELS: readonly { name: string; options: TinyOptions; shardBytes?: number }[] = [
  { name: 'Llama in shards', options: {}, shardBytes: 40_000 },
  { name: 'Llama tied, with Llama 3 rotary', options: { tied: true, scaling: LLAMA3 } },
  { name: 'Llama with YaRN', options: { scaling: YARN } },
  { name: 'Llama with all biases', options: { biases: ALL } },
  { name: 'Llama with heads that do not divide the width', options: { layers: ODD } },
  { name: 'Llama, widths per layer', options: { layers: UNEVEN } },
  { name: 'Llama, widths per layer, all biases, tied, YaRN, in shards', options: { layers: UNEVEN, biases: ALL, tied: true, scaling: YARN }, shardBytes: 40_000 },
  { name: 'Qwen2', options: { family: 'qwen2', biases: QKV } },
  { name: 'Qwen2, widths per layer', options: { family: 'qwen2', biases: QKV, layers: UNEVEN, tied: true } },
  { name: 'Mistral, widths per layer', options: { family: 'mistral', layers: UNEVEN } },
];

describe('transformers reads the folders that we write', () => {
  let executor: Executor;
  let folder: string;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 1 });
    folder = await mkdtemp(path.join(tmpdir(), 'shear-peers-'));
  });
  afterAll(async () => {
    await executor.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const ids = Array.from({ length: 48 }, (_, index) => (index * 37 + 11) % 512);

  it.each(MODELS)('$name', async ({ name, options, shardBytes }) => {
    const place = path.join(folder, name.replaceAll(/[^A-Za-z0-9]+/g, '-'));
    const even = { ...options, layers: (options.layers ?? tinyConfig().layers).map(() => ({ heads: 4, kvHeads: 2, ffn: 24 })), vocabulary: 512 };
    await writeTinyFolder(`${place}-source`, even);
    // The script loads a tokenizer too; any will do.
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(path.join(EXAMPLE_MODEL, file), path.join(`${place}-source`, file));
    const source = await openCheckpoint(`${place}-source`);
    const view = tinyView({ ...tinyConfig({ ...options, vocabulary: 512 }) }, 3);
    await writeSafetensorsModel(view, source, place, { dtype: 'F32', ...(shardBytes === undefined ? {} : { shardBytes }) });
    await source.close();

    const [idsPath, outPath] = [path.join(folder, 'ids.json'), path.join(folder, 'peer.json')];
    await writeFile(idsPath, JSON.stringify(ids));
    await run(python, [path.join(import.meta.dirname, 'transformers-logits.py'), place, idsPath, outPath]);
    const { positions } = v.parse(resultSchema, JSON.parse(await readFile(outPath, 'utf8')));
    const checkpoint = await openCheckpoint(place);
    const logits = await computeViewLogits(executor, checkpoint, ids);
    await checkpoint.close();
    let worst = 0;
    positions.forEach((pairs, position) => {
      const row = logits.subarray(position * 512, (position + 1) * 512);
      const top = Math.max(...row);
      const total = top + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
      for (const [id, share] of pairs) {
        const difference = Math.abs((row[id] ?? Number.NaN) - total - share);
        if (!(difference <= worst)) worst = difference;
      }
    });
    process.stdout.write(`${name}: transformers differs by ${worst.toExponential(1)}\n`);
    expect(worst <= TOLERANCE).toBe(true);
  });
});
