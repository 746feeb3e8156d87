/**
 * Rotary frequencies: from the many ways in which files state a stretched context to one list of numbers, and back
 * from numbers to the factors that GGUF files hold.
 */
import { UnsupportedError } from '../support/errors';
import type { Rope } from './config';

/** Inverse frequencies without scaling: theta^(-2i / D) for i in [0, D / 2). */
export function baseFrequencies(theta: number, headDim: number): number[] {
  return Array.from({ length: headDim / 2 }, (_, index) => theta ** ((-2 * index) / headDim));
}

/** A scaling rule: the frequencies that it makes of the base ones, given its settings. */
type ScalingRule = (base: readonly number[], setting: (name: string, fallback?: number) => number) => number[];

/** Rules by the name that config.json gives them (transformers, modeling_rope_utils.py). */
const SCALING_RULES: Readonly<Record<string, ScalingRule>> = {
  default: (base) => [...base],
  linear: (base, setting) => base.map((frequency) => frequency / setting('factor')),
  llama3: (base, setting) => {
    const factor = setting('factor');
    const low = setting('low_freq_factor', 1);
    const high = setting('high_freq_factor', 4);
    const original = setting('original_max_position_embeddings', 8192);
    return base.map((frequency) => {
      const turns = (original * frequency) / (2 * Math.PI);
      if (turns > high) return frequency;
      if (turns < low) return frequency / factor;
      const smooth = (turns - low) / (high - low);
      return ((1 - smooth) * frequency) / factor + smooth * frequency;
    });
  },
};

/**
 * Resolves rotary settings. `scaling` is config.json's `rope_scaling` or `rope_parameters`; its rule is named by
 * `rope_type` or, in older files, `type`. Throws UnsupportedError for rules that are not implemented, by name.
 */
export function resolveRope(
  theta: number,
  headDim: number,
  scaling: Readonly<Record<string, unknown>> | null,
): Rope {
  const base = baseFrequencies(theta, headDim);
  if (scaling === null) return { theta, inverseFrequencies: base, scaling: null };
  const stated = scaling['rope_type'] ?? scaling['type'] ?? 'default';
  const name = typeof stated === 'string' ? stated : JSON.stringify(stated);
  const rule = Object.hasOwn(SCALING_RULES, name) ? SCALING_RULES[name] : undefined;
  if (rule === undefined) {
    throw new UnsupportedError(`The model stretches its context by the rule ${name}, which is not implemented.`, {
      hint: `Rules that work: ${Object.keys(SCALING_RULES).join(', ')}.`,
      details: { feature: 'rope_scaling', found: name },
    });
  }
  const setting = (key: string, fallback?: number): number => {
    const value = scaling[key] ?? fallback;
    if (typeof value === 'number' && value > 0) return value;
    throw new UnsupportedError(`The context rule ${name} needs a positive number ${key}; found ${JSON.stringify(value)}.`, {
      details: { feature: 'rope_scaling', found: key },
    });
  };
  return { theta, inverseFrequencies: rule(base, setting), scaling: name === 'default' ? null : scaling };
}

/** What each base frequency is divided by, as GGUF's `rope_freqs` tensor states it. */
export function frequencyFactors(rope: Rope): number[] {
  const base = baseFrequencies(rope.theta, rope.inverseFrequencies.length * 2);
  return base.map((frequency, index) => frequency / (rope.inverseFrequencies[index] ?? frequency));
}

/** Relative difference below which two factors are the same: GGUF files keep them as float32. */
const FACTOR_TOLERANCE = 1e-5;

/**
 * Rotary settings from GGUF's factors. If they are those of Llama 3's rule with the constants of its releases, the
 * rule is recovered, so that a config.json can state it; else `scaling` names factors that only GGUF can hold.
 */
export function ropeFromFactors(theta: number, headDim: number, factors: readonly number[]): Rope {
  const base = baseFrequencies(theta, headDim);
  const inverseFrequencies = base.map((frequency, index) => frequency / (factors[index] ?? 1));
  const guess = {
    rope_type: 'llama3',
    factor: Math.max(...factors),
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  const guessed = frequencyFactors(resolveRope(theta, headDim, guess));
  const fits = guessed.every((factor, index) => Math.abs(factor / (factors[index] ?? 1) - 1) <= FACTOR_TOLERANCE);
  if (fits) return { theta, inverseFrequencies, scaling: guess };
  return { theta, inverseFrequencies, scaling: { rope_type: 'factors' } };
}

/** The one factor of a uniform stretch, or null if the factors differ. 1 means no stretch. */
export function uniformFactor(factors: readonly number[]): number | null {
  const [first = 1] = factors;
  return factors.every((factor) => Math.abs(factor / first - 1) <= 1e-9) ? first : null;
}
