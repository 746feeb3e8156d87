/**
 * Models of every family that were made narrower are opened by transformers from our folders, and by llama.cpp from our
 * GGUF files where it knows the family, with the logits that we compute. Small random models, float32.
 */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeViewLogits } from '../../main/engine/evaluation/view-logits';
import { Executor } from '../../main/engine/execution/executor';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { writeGgufModel } from '../../main/engine/export/gguf-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { plainRope } from '../../main/engine/model/rope';
import type { PruningPlan } from '../../main/engine/pruning/plan';
import { slicedView } from '../../main/engine/pruning/sliced-view';
import { findUnitGroups, type UnitGroup } from '../../main/engine/pruning/units';
import { EXAMPLE_MODEL } from '../support/example-model';
import { tinyConfig, tinyView, writeTinyFolder, type TinyOptions } from '../support/tiny-model';

const run = promisify(execFile);
const resultSchema = v.object({ positions: v.array(v.array(v.tuple([v.number(), v.number()]))) });
const python = path.join(process.env['SHEAR_PEERS'] ?? '', 'python', 'bin', 'python');
const FAMILIES = path.join(import.meta.dirname, '..', 'golden', 'data', 'families');
/** Both compute in float32 from the same weights; the sums come in another order. */
const TOLERANCE = 1e-4;
const IDS = Array.from({ length: 40 }, (_, at) => (at * 23 + 5) % 61);

/** Every layer without its first channels and, where there are several, its first key/value group; `uneven` spares the first layer. */
function planFor(groups: readonly UnitGroup[], uneven: boolean): PruningPlan {
  return {
    groups: groups.map(({ layer, part, size }) => {
      const gone = uneven && layer === 0 ? 0 : part === 'mlp' ? 7 : 1;
      return { layer, part, size, kept: Array.from({ length: size - gone }, (_, unit) => unit + gone), scores: [], locked: false };
    }),
  };
}

describe.each([false, true])('transformers opens models of all families, widths per layer: %s', (uneven) => {
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

  it.each(readdirSync(FAMILIES))('%s', async (name) => {
    const [from, to] = [path.join(folder, `${name}-source`), path.join(folder, name)];
    await cp(path.join(FAMILIES, name), from, { recursive: true });
    // The script loads a tokenizer too; any will do.
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(path.join(EXAMPLE_MODEL, file), path.join(from, file));
    const source = await openCheckpoint(from);
    const groups = findUnitGroups(source.config);
    const view = slicedView(source, groups, planFor(groups, uneven));
    await writeSafetensorsModel(view, source, to, { dtype: 'F32' });
    const logits = await computeViewLogits(executor, view, IDS);
    await source.close();

    const written = await openCheckpoint(to);
    expect(await computeViewLogits(executor, written, IDS)).toEqual(logits);
    await written.close();
    const [idsPath, outPath] = [path.join(folder, 'ids.json'), path.join(folder, 'peer.json')];
    await writeFile(idsPath, JSON.stringify(IDS));
    await run(python, [path.join(import.meta.dirname, 'transformers-logits.py'), to, idsPath, outPath]);
    const { positions } = v.parse(resultSchema, JSON.parse(await readFile(outPath, 'utf8')));
    const worst = largestDifference(logits, positions, 61);
    process.stdout.write(`${name}: transformers differs by ${worst.toExponential(1)}\n`);
    expect(worst <= TOLERANCE).toBe(true);
  });
});

const EVEN = { heads: 4, kvHeads: 4, ffn: 24 };
const ALL_BIASES = ['q', 'k', 'v', 'o', 'up', 'down'] as const;
const NARROW = { heads: 2, kvHeads: 1, ffn: 20 };
const LOCAL = plainRope(10_000, 8);

const GGUF_MODELS: readonly { name: string; options: TinyOptions; rotaryWidth?: number }[] = [
  { name: 'Qwen3, fewer heads', options: { family: 'qwen3', layers: [NARROW, NARROW], tied: true } },
  { name: 'Qwen3, widths per layer', options: { family: 'qwen3', layers: [{ heads: 4, kvHeads: 2, ffn: 24 }, NARROW], tied: true } },
  { name: 'Phi-3', options: { family: 'phi3' } },
  { name: 'Phi-3, heads rotated in part', options: { family: 'phi3', design: { rotaryWidth: 4 } }, rotaryWidth: 4 },
  { name: 'Phi-3, fewer heads, as Llama', options: { family: 'phi3', layers: [NARROW, NARROW] } },
  { name: 'Gemma 2, fewer heads', options: { family: 'gemma2', layers: [NARROW, NARROW], tied: true, design: { windows: [7, 0] } } },
  { name: 'Gemma 3', options: { family: 'gemma3', tied: true, design: { windows: [7, 7], localRope: LOCAL } } },
  { name: 'OLMo', options: { family: 'olmo', layers: [EVEN, EVEN] } },
  { name: 'OLMo 2', options: { family: 'olmo2', layers: [EVEN, EVEN] } },
  { name: 'GPT-2', options: { family: 'gpt2', layers: [EVEN, EVEN], biases: ALL_BIASES, tied: true } },
  { name: 'GPT-NeoX', options: { family: 'gpt-neox', layers: [EVEN, EVEN], biases: ALL_BIASES } },
  { name: 'GPT-NeoX, heads rotated in part', options: { family: 'gpt-neox', layers: [EVEN, EVEN], biases: ALL_BIASES, design: { rotaryWidth: 4 } }, rotaryWidth: 4 },
  { name: 'GPT-NeoX, one after the other', options: { family: 'gpt-neox', layers: [EVEN, EVEN], biases: ALL_BIASES, design: { parallel: false } } },
];

/** llama.cpp looks GELU up in a table of float16, keeps keys and values in float16, and sums in another order. */
const LLAMA_CPP_TOLERANCE = 0.02;

describe('llama.cpp opens the GGUF files of the families that it knows, and transformers folders made of them', () => {
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

  const ids = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396, 267];

  it.each(GGUF_MODELS)('$name', async ({ name, options, rotaryWidth }) => {
    // Not by its name: llama.cpp wants the tokens of Phi-3 in the vocabulary of whatever is called so.
    const stem = path.join(folder, `model-${GGUF_MODELS.findIndex((model) => model.name === name)}`);
    const [widths] = options.layers ?? tinyConfig().layers;
    await writeTinyFolder(`${stem}-source`, { ...options, ...(widths && { layers: [widths, widths] }), vocabulary: 512 });
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) await copyFile(path.join(EXAMPLE_MODEL, file), path.join(`${stem}-source`, file));
    const source = await openCheckpoint(`${stem}-source`);
    const config = tinyConfig({ ...options, vocabulary: 512 });
    const view = tinyView(rotaryWidth === undefined ? config : { ...config, rope: plainRope(10_000, rotaryWidth) }, 3);
    await writeGgufModel(view, source, `${stem}.gguf`, { dtype: 'F32' });
    await source.close();
    const written = await openCheckpoint(`${stem}.gguf`);
    const logits = await computeViewLogits(executor, written, ids);
    await written.close();
    expect(logits).toEqual(await computeViewLogits(executor, view, ids));

    const [idsPath, outPath] = [path.join(folder, 'ids.json'), path.join(folder, 'peer.json')];
    await writeFile(idsPath, JSON.stringify(ids));
    const script = path.join(import.meta.dirname, 'llama-cpp-logits.mjs');
    await run(process.execPath, [script, `${stem}.gguf`, idsPath, outPath], { cwd: path.join(process.env['SHEAR_PEERS'] ?? '', 'llama-cpp') });
    const { positions } = v.parse(resultSchema, JSON.parse(await readFile(outPath, 'utf8')));
    const worst = largestDifference(logits, positions, 512);
    process.stdout.write(`${name}: llama.cpp differs by ${worst.toExponential(1)}\n`);
    expect(worst <= LLAMA_CPP_TOLERANCE).toBe(true);

    // A folder made of the GGUF file alone says all that transformers needs to compute the same.
    const file = await openCheckpoint(`${stem}.gguf`);
    await writeSafetensorsModel(file, file, `${stem}-back`, { dtype: 'F32' });
    await file.close();
    await run(python, [path.join(import.meta.dirname, 'transformers-logits.py'), `${stem}-back`, idsPath, outPath]);
    const back = largestDifference(logits, v.parse(resultSchema, JSON.parse(await readFile(outPath, 'utf8'))).positions, 512);
    process.stdout.write(`${name}: transformers differs by ${back.toExponential(1)} after a GGUF file\n`);
    expect(back <= TOLERANCE).toBe(true);
  });
});

/** Largest difference of log-probabilities from a peer's likeliest tokens. */
function largestDifference(logits: Float32Array, positions: readonly (readonly [number, number][])[], vocabulary: number): number {
  let worst = 0;
  positions.forEach((pairs, position) => {
    const row = logits.subarray(position * vocabulary, (position + 1) * vocabulary);
    const top = Math.max(...row);
    const total = top + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
    for (const [id, share] of pairs) {
      const difference = Math.abs((row[id] ?? Number.NaN) - total - share);
      if (!(difference <= worst)) worst = difference;
    }
  });
  return worst;
}
