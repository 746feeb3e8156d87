/**
 * What we write is read by the programs that people use, with the same result: llama.cpp reads the GGUF files and
 * transformers the folders, uniform and per layer, of the example and of any model named in SHEAR_PEER_MODELS.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computeLogits } from '../../main/engine/evaluation/logits';
import { Executor } from '../../main/engine/execution/executor';
import { asView, loadModel } from '../../main/engine/execution/loaded-model';
import { writeGgufModel } from '../../main/engine/export/gguf-model';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { loadCheckpointTokenizer } from '../../main/engine/jobs/checkpoint-tokenizer';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { slicedView } from '../../main/engine/pruning/sliced-view';
import { findUnitGroups } from '../../main/engine/pruning/units';
import { EXAMPLE_MODEL } from '../support/example-model';

const run = promisify(execFile);
const resultSchema = v.object({
  positions: v.array(v.array(v.tuple([v.number(), v.number()]))),
  parameters: v.number(),
  ids: v.optional(v.array(v.number())),
});
const peers = process.env['SHEAR_PEERS'] ?? '';
const python = path.join(peers, 'python', 'bin', 'python');

/** Likelihoods are compared where they matter: tokens that a peer gives at least this log-probability. */
const LOWEST = -8;
/** llama.cpp multiplies float16 weights with activations that it rounds to float16 first. */
const LLAMA_CPP_TOLERANCE = 0.06;
/** transformers computes in float32 from the same rounded weights. */
const TRANSFORMERS_TOLERANCE = 2e-3;

describe('peers read what we write', () => {
  let executor: Executor;
  let folder: string;
  beforeAll(async () => {
    executor = await Executor.create({ threads: 2 });
    folder = await mkdtemp(path.join(tmpdir(), 'shear-peers-'));
  });
  afterAll(async () => {
    await executor.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const ids = [1, 403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396, 267];

  async function largestDifference(modelPath: string, peer: 'llama.cpp' | 'transformers'): Promise<number> {
    const idsPath = path.join(folder, 'ids.json');
    const outPath = path.join(folder, 'peer.json');
    await writeFile(idsPath, JSON.stringify(ids));
    if (peer === 'llama.cpp') {
      const script = path.join(import.meta.dirname, 'llama-cpp-logits.mjs');
      await run(process.execPath, [script, modelPath, idsPath, outPath], { cwd: path.join(peers, 'llama-cpp') });
    } else {
      await run(python, [path.join(import.meta.dirname, 'transformers-logits.py'), modelPath, idsPath, outPath]);
    }
    const result = v.parse(resultSchema, JSON.parse(await readFile(outPath, 'utf8')));
    const checkpoint = await openCheckpoint(modelPath);
    const model = await loadModel(checkpoint);
    if (result.ids !== undefined) {
      const tokenizer = await loadCheckpointTokenizer(checkpoint);
      expect(tokenizer.encode('Once upon a time, 12 cats sat.')).toEqual(result.ids);
    }
    await checkpoint.close();
    const logits = await computeLogits(executor, model, ids);
    const { vocabulary } = model.config;
    let worst = 0;
    let compared = 0;
    result.positions.forEach((pairs, position) => {
      const row = logits.subarray(position * vocabulary, (position + 1) * vocabulary);
      const top = Math.max(...row);
      const total = top + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
      for (const [id, share] of pairs) {
        if (share < LOWEST) continue;
        compared++;
        worst = Math.max(worst, Math.abs((row[id] ?? Number.NaN) - total - share));
      }
    });
    expect(compared).toBeGreaterThan(ids.length);
    expect(worst).not.toBeNaN();
    return worst;
  }

  it.each([
    { name: 'uniform', kept: () => 3 },
    { name: 'per layer', kept: (layer: number) => 2 + (layer % 3) },
  ])('the example, pruned $name', async ({ name, kept }) => {
    const source = await openCheckpoint(EXAMPLE_MODEL);
    const full = await loadModel(source);
    const groups = findUnitGroups(full.config);
    const plan = {
      groups: groups.map(({ layer, part, size }) => {
        const left = part === 'attention' ? Math.min(size, kept(layer)) : name === 'uniform' ? 128 : 96 + 8 * layer;
        return { layer, part, size, kept: Array.from({ length: left }, (_, unit) => unit), scores: [], locked: false };
      }),
    };
    const view = slicedView(asView(full), groups, plan);
    const safetensors = path.join(folder, name.replace(' ', '-'));
    const gguf = path.join(folder, `${name.replace(' ', '-')}.gguf`);
    await writeSafetensorsModel(view, source, safetensors, { dtype: 'F16' });
    await writeGgufModel(view, source, gguf, { dtype: 'F16' });
    await source.close();
    const differences = { transformers: await largestDifference(safetensors, 'transformers'), llamaCpp: await largestDifference(gguf, 'llama.cpp') };
    process.stdout.write(`${name}: ${JSON.stringify(differences)}\n`);
    expect(differences.transformers).toBeLessThan(TRANSFORMERS_TOLERANCE);
    expect(differences.llamaCpp).toBeLessThan(LLAMA_CPP_TOLERANCE);
  });

  const named = (process.env['SHEAR_PEER_MODELS'] ?? '').split(path.delimiter).filter((entry) => entry !== '');
  it.each(named)('%s', async (modelPath) => {
    const peer = modelPath.endsWith('.gguf') ? 'llama.cpp' : 'transformers';
    const difference = await largestDifference(modelPath, peer);
    process.stdout.write(`${modelPath}: ${peer} differs by ${difference}\n`);
    expect(difference).toBeLessThan(peer === 'llama.cpp' ? LLAMA_CPP_TOLERANCE : TRANSFORMERS_TOLERANCE);
  });
});
