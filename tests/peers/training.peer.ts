/** Three steps of LoRA training on SmolLM2-135M, beside PyTorch: factors and ids are handed over in a file. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { loadModel, asView } from '../../main/engine/execution/loaded-model';
import { writeSafetensorsModel } from '../../main/engine/export/safetensors-model';
import { openCheckpoint } from '../../main/engine/model/checkpoint';
import { compareTraining } from '../support/training-golden';

const peers = process.env['SHEAR_PEERS'] ?? '';

it('trains SmolLM2 as PyTorch does: three losses, and the gradients of the first and last step', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'shear-training-'));
  try {
    const source = await openCheckpoint(process.env['SHEAR_REAL_MODEL'] ?? '');
    const model = path.join(folder, 'model');
    await writeSafetensorsModel(asView(await loadModel(source)), source, model, { dtype: 'F32' });
    await source.close();
    const golden = path.join(folder, 'golden.safetensors');
    const script = path.join(import.meta.dirname, '..', 'golden', 'make_training.py');
    const settings = ['--steps', '3', '--rank', '8', '--batch', '2', '--length', '128'];
    const python = path.join(peers, 'python', 'bin', 'python');
    const { stdout } = await promisify(execFile)(python, [script, model, golden, ...settings]);
    const worst = await compareTraining(model, golden);
    process.stdout.write(`${stdout}largest differences: ${JSON.stringify(worst)}\n`);
    expect(worst.loss).toBeLessThan(1e-4);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
