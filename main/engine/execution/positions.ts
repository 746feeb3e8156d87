/** What depends on positions alone: rotary tables and the causal mask. */
import { float32, type RuntimeTensor } from '../runtime/session';
import type { ModelConfig } from '../model/config';

/** Added to the scores of positions that may not be seen: beyond any score, so that their share is exactly zero. */
const HIDDEN_SCORE = -1e9;

/** Cosines and sines [P, D/2] for positions 0..P-1. */
export function rotaryTables(config: ModelConfig, positions: number): { cosines: RuntimeTensor; sines: RuntimeTensor } {
  const { inverseFrequencies } = config.rope;
  const half = inverseFrequencies.length;
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let position = 0; position < positions; position++) {
    for (let index = 0; index < half; index++) {
      const angle = position * (inverseFrequencies[index] ?? 0);
      cosines[position * half + index] = Math.cos(angle);
      sines[position * half + index] = Math.sin(angle);
    }
  }
  return { cosines: float32(cosines, [positions, half]), sines: float32(sines, [positions, half]) };
}

/** Mask [T, past + T]: 0 where a token may look, HIDDEN_SCORE where it may not. */
export function causalMask(length: number, past: number): RuntimeTensor {
  const seen = past + length;
  const mask = new Float32Array(length * seen);
  for (let row = 0; row < length; row++) mask.fill(HIDDEN_SCORE, row * seen + past + row + 1, (row + 1) * seen);
  return float32(mask, [length, seen]);
}
