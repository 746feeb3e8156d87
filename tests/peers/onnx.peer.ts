/**
 * onnxruntime-genai opens the ONNX models that we write, of each type, and greedily writes the tokens that we write: with
 * a real model (SHEAR_REAL_MODEL), and with layers of different widths.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Executor } from '../../main/engine/execution/executor';
import { KeyValueCache } from '../../main/engine/execution/key-value-cache';
import { readTokens } from '../../main/engine/execution/read-tokens';
import { loadWritingModel } from '../../main/engine/execution/text-model';
import { writeOnnxModel } from '../../main/engine/export/onnx-model';
import { onnxWeightBytes, roundedForOnnx } from '../../main/engine/export/onnx-types';
import { loadCheckpointTokenizer } from '../../main/engine/jobs/checkpoint-tokenizer';
import { openCheckpoint, type Checkpoint } from '../../main/engine/model/checkpoint';
import type { ModelView } from '../../main/engine/model/view';
import { tinyConfig, tinyView, writeTinyFolder } from '../support/tiny-model';
import { ONNX_DTYPES } from '../../preload/contract/recipe';

const run = promisify(execFile);
const python = path.join(process.env['SHEAR_PEERS'] ?? '', 'python', 'bin', 'python');
const realModel = process.env['SHEAR_REAL_MODEL'] ?? '';
const resultSchema = v.object({ generated: v.array(v.number()), tokenized: v.nullable(v.union([v.string(), v.array(v.number())])) });
const TEXT = 'The river rose in the night, and by morning the bridge was gone. People stood on both banks and';
const COUNT = 32;

describe('onnxruntime-genai', () => {
  let executor: Executor;
  let folder: string;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 2 });
    folder = await mkdtemp(path.join(tmpdir(), 'shear-onnx-'));
  });
  afterAll(async () => {
    await executor.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  async function greedy(view: ModelView, prompt: readonly number[], count: number): Promise<number[]> {
    const model = await loadWritingModel(view);
    const cache = new KeyValueCache(view.config);
    const found: number[] = [];
    let next: readonly number[] = prompt;
    while (found.length < count) {
      const logits = await readTokens(executor, model, next, cache);
      const best = logits.reduce((most, logit, id) => (logit > (logits[most] ?? 0) ? id : most), 0);
      found.push(best);
      if (view.config.eosIds.includes(best)) break;
      next = [best];
    }
    return found;
  }

  async function compare(view: ModelView, source: Checkpoint, ids: readonly number[], text: string | null): Promise<void> {
    await writeFile(path.join(folder, 'ids.json'), JSON.stringify(ids));
    for (const dtype of ONNX_DTYPES) {
      const out = path.join(folder, `${view.config.layers.length}-${dtype}`);
      const { files } = await writeOnnxModel(view, source, out, { dtype });
      const answer = path.join(folder, 'answer.json');
      await run(python, [path.join(import.meta.dirname, 'onnx-genai.py'), out, path.join(folder, 'ids.json'), String(COUNT), answer, ...(text === null ? [] : [text])]);
      const { generated, tokenized } = v.parse(resultSchema, JSON.parse(await readFile(answer, 'utf8')));
      const size = files.reduce((sum, file) => sum + (file.path.endsWith('.data') ? file.sizeBytes : 0), 0);
      process.stdout.write(`${dtype}: ${size} bytes (forecast ${onnxWeightBytes(view.config, dtype)}), ${generated.length} tokens: ${generated.join(' ')}\n`);
      expect(generated, dtype).toEqual(await greedy(roundedForOnnx(view, dtype), ids, COUNT));
      if (text !== null) expect(tokenized, 'its tokenizer').toEqual([...ids]);
      await rm(out, { recursive: true });
    }
  }

  it.skipIf(realModel === '')('writes the tokens of a real model', async () => {
    const source = await openCheckpoint(realModel);
    try {
      const ids = (await loadCheckpointTokenizer(source)).encode(TEXT);
      await compare(source, source, ids, TEXT);
    } finally {
      await source.close();
    }
  });

  it('writes the tokens of a model whose layers differ in width', async () => {
    await writeTinyFolder(path.join(folder, 'tiny'));
    const source = await openCheckpoint(path.join(folder, 'tiny'));
    const layers = [{ heads: 4, kvHeads: 2, ffn: 24 }, { heads: 2, kvHeads: 1, ffn: 40 }, { heads: 6, kvHeads: 3, ffn: 17 }];
    try {
      await compare(tinyView(tinyConfig({ layers, headDim: 16 }), 5), source, [1, 17, 9, 30, 4, 41], null);
    } finally {
      await source.close();
    }
  });
});
