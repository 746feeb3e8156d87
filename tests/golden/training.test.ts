import { expect, it } from 'vitest';
import path from 'node:path';
import { compareTraining } from '../support/training-golden';

it('trains LoRA on the example model as PyTorch does: ten losses, and the gradients of the first and last step', async () => {
  const root = path.join(import.meta.dirname, '..', '..');
  const worst = await compareTraining(
    path.join(root, 'resources', 'example', 'stories260K'),
    path.join(root, 'tests', 'golden', 'data', 'training-example.safetensors'),
  );
  expect(worst.loss).toBeLessThan(1e-4);
});
