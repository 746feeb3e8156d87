/**
 * The peer whose distance LoRAShear is to beat, made anew: LLM-Pruner's slices of SmolLM2-135M recovered with PEFT's
 * LoRA on the 131,072 tokens of the training mix, beside the dense model given the same LoRA. Some 15 minutes each on
 * two quiet cores.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import * as v from 'valibot';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { asView, loadModel } from '../../main/engine/execution/loaded-model';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';

const TEXTS = ['wiki.valid', 'web_c4', 'code_py', 'war'] as const;
const TRAINING = { batch: 4, rank: 8, alpha: 16, learningRate: 2e-3, steps: 128, seed: 0 };
const perplexities = v.record(v.string(), v.number());
const resultSchema = v.object({ before: perplexities, after: perplexities, seconds: v.number() });
type Result = v.InferOutput<typeof resultSchema>;

async function readData(name: string): Promise<unknown> {
  const bytes = await readFile(path.join(import.meta.dirname, '..', 'data', 'smollm2', `${name}.json.gz`));
  return JSON.parse(gunzipSync(bytes).toString('utf8')) as unknown;
}

let folder: string;
let dense: Result;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'shear-recovered-'));
  const source = await openCheckpoint(process.env['SHEAR_REAL_MODEL'] ?? '');
  await writeSafetensorsModel(asView(await loadModel(source)), source, path.join(folder, 'model'), { dtype: 'F32' });
  await source.close();
  dense = await recover(null);
}, 3_600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function recover(mask: string | null): Promise<Result> {
  const texts: Record<string, unknown> = {};
  for (const name of TEXTS) texts[name] = await readData(`${name}.ids`);
  const job = {
    model: path.join(folder, 'model'),
    threads: availableParallelism(),
    window: 512,
    mask: mask === null ? null : await readData(mask),
    training: { ...TRAINING, ids: await readData('train_512x256.ids') },
    texts,
  };
  const file = path.join(folder, 'job.json');
  await writeFile(file, JSON.stringify(job));
  const python = path.join(process.env['SHEAR_PEERS'] ?? '', 'python', 'bin', 'python');
  const result = await new Promise<Result>((resolve, reject) => {
    const child = spawn(python, [path.join(import.meta.dirname, 'llm_pruner_lora.py'), file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(v.parse(resultSchema, JSON.parse(stdout)));
      else reject(new Error(`PyTorch's side ended with ${code ?? 'a signal'}.`));
    });
  });
  process.stdout.write(`${mask ?? 'dense'}: ${JSON.stringify(result)}; load ${loadavg()[0]?.toFixed(1) ?? '?'}\n`);
  return result;
}

/** Mean over the texts of log(perplexity / that of the dense model given the same LoRA). */
function distance({ after }: Result): number {
  return TEXTS.reduce((sum, name) => sum + Math.log((after[name] ?? Number.NaN) / (dense.after[name] ?? Number.NaN)), 0) / TEXTS.length;
}

it.each([
  ['mask_llmpruner_20', 0.44],
  ['mask_llmpruner_50', 1.277],
])('%s with LoRA: the distance is that of the protocol, %f', async (mask, expected) => {
  const found = distance(await recover(mask));
  process.stdout.write(`${mask}: distance ${found.toFixed(3)}\n`);
  expect(Math.abs(found - expected)).toBeLessThan(0.1 * expected);
});
