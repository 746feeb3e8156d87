import { expect, it } from 'vitest';
import path from 'node:path';
import { compareTraining } from '../support/training-golden';
import { EXAMPLE_MODEL } from '../support/example-model';

it.each([
  { what: 'ten losses, and the gradients of the first and last step', golden: 'training-example' },
  { what: 'with sequences long enough for attention in blocks', golden: 'training-blocks' },
  { what: 'with 4,096 tokens', golden: 'training-4096' },
  { what: 'with 5,000 tokens, which blocks do not divide', golden: 'training-5000' },
])('trains LoRA on the example model as PyTorch does: $what', async ({ golden }) => {
  const worst = await compareTraining(EXAMPLE_MODEL, path.join(import.meta.dirname, 'data', `${golden}.safetensors`));
  expect(worst.loss).toBeLessThan(1e-5);
  expect(worst.gradient).toBeLessThan(1e-4);
});

it.each([false, true])('applies given masks of dropout to what enters the factors as PyTorch does (recompute: %s)', async (recompute) => {
  const golden = path.join(import.meta.dirname, 'data', 'training-dropout.safetensors');
  const worst = await compareTraining(EXAMPLE_MODEL, golden, { recompute });
  expect(worst.loss).toBeLessThan(1e-5);
  expect(worst.gradient).toBeLessThan(1e-4);
});
