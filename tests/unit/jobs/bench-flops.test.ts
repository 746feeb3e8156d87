/** Operations of a work against counts by hand. */
import { expect, it } from 'vitest';
import { workFlops } from '../../../main/engine/jobs/bench/flops';
import { tinyConfig } from '../../support/tiny-model';

// 2 layers, C 32, H 4, K 2, D 8, F 24, V 48: q and o 1,024 each, k and v 512 each, three of 768.
const config = tinyConfig();
const LINEARS = 2 * (2 * 1024 + 2 * 512 + 3 * 768);
const HEAD = 48 * 32;

it('counts a forward pass: linears, head, and scores and values of every layer that the mask leaves', () => {
  const tokens = 3 * 5;
  const attention = 2 * (4 * 32 * 3 * (1 + 2 + 3 + 4 + 5));
  expect(workFlops(config, 'forward', { batch: 3, length: 5, newTokens: 0, rank: 8 })).toBe(2 * tokens * (LINEARS + HEAD) + attention);
});

it('counts a step as twice the forward pass, attention thrice, and LoRA on top', () => {
  const tokens = 3 * 5;
  const attention = 2 * (4 * 32 * 3 * (1 + 2 + 3 + 4 + 5));
  const factors = 2 * 2 * (2 * (32 + 32) + 2 * (16 + 32) + 3 * (24 + 32));
  expect(workFlops(config, 'step', { batch: 3, length: 5, newTokens: 0, rank: 2 })).toBe(4 * tokens * (LINEARS + HEAD) + 3 * attention + 6 * tokens * factors);
});

it('counts new tokens one by one, each looking at itself and all before', () => {
  const seen = 6 + 7 + 8;
  expect(workFlops(config, 'generate', { batch: 1, length: 5, newTokens: 3, rank: 8 })).toBe(2 * 3 * (LINEARS + HEAD) + 2 * (4 * 32 * seen));
});
