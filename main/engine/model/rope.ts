/**
 * Rotary frequencies: from the many ways in which files state a stretched context to one list of numbers, and back
 * from numbers to the factors that GGUF files hold.
 */
import { describeJson, describeValue } from '../support/describe-value';
import { UnsupportedError } from '../support/errors';
import type { Rope } from './config';

/** Inverse frequencies without scaling: theta^(-2i / D) for i in [0, D / 2). */
export function baseFrequencies(theta: number, headDim: number): number[] {
  return Array.from({ length: headDim / 2 }, (_, index) => theta ** ((-2 * index) / headDim));
}

/** What a scaling rule works with. */
interface RuleInput {
  readonly theta: number;
  readonly base: readonly number[];
  /** A positive setting; without a fallback it is required. */
  readonly setting: (name: string, fallback?: number) => number;
  /** As the file has it: undefined, null and 0 all mean that it is not set. */
  readonly raw: (name: string) => unknown;
  /** The longest context that the model states; null where the file does not say. */
  readonly maxPositions: number | null;
}

/** A scaling rule: the frequencies that it makes of the base ones, and what it multiplies cosines and sines by. */
type ScalingRule = (input: RuleInput) => { readonly frequencies: number[]; readonly attentionFactor?: number };

/** Rules by the name that config.json gives them (transformers, modeling_rope_utils.py). */
const SCALING_RULES: Readonly<Record<string, ScalingRule>> = {
  default: ({ base }) => ({ frequencies: [...base] }),
  linear: ({ base, setting }) => ({ frequencies: base.map((frequency) => frequency / setting('factor')) }),
  // It stretches only texts longer than the stated context, and nothing here goes beyond that.
  dynamic: ({ base, setting }) => {
    setting('factor');
    return { frequencies: [...base] };
  },
  llama3: ({ base, setting, maxPositions }) => {
    const factor = setting('factor');
    const low = setting('low_freq_factor', 1);
    const high = setting('high_freq_factor', 4);
    const original = setting('original_max_position_embeddings', maxPositions ?? 8192);
    const frequencies = base.map((frequency) => {
      const turns = (original * frequency) / (2 * Math.PI);
      if (turns > high) return frequency;
      if (turns < low) return frequency / factor;
      const smooth = (turns - low) / (high - low);
      return ((1 - smooth) * frequency) / factor + smooth * frequency;
    });
    return { frequencies };
  },
  yarn,
};

/**
 * YaRN (Peng et al. 2023, arXiv:2309.00071, section 3): dimensions that turn often keep their frequency, those that
 * turn less than once are stretched, with a ramp between; attention is sharpened by a factor on cosines and sines.
 */
function yarn({ theta, base, setting, raw, maxPositions }: RuleInput): ReturnType<ScalingRule> {
  const isSet = (name: string): boolean => raw(name) !== undefined && raw(name) !== null && raw(name) !== 0;
  const optional = (name: string, fallback: number): number => (isSet(name) ? setting(name) : fallback);
  const original = setting('original_max_position_embeddings', maxPositions ?? undefined);
  const factor = setting('factor', maxPositions === null ? undefined : maxPositions / original);
  const width = base.length * 2;
  const dimensionOf = (turns: number): number => (width * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [fast, slow] = [dimensionOf(optional('beta_fast', 32)), dimensionOf(optional('beta_slow', 1))];
  const isTruncated = raw('truncate') !== false;
  const low = Math.max(isTruncated ? Math.floor(fast) : fast, 0);
  const high = Math.min(isTruncated ? Math.ceil(slow) : slow, width - 1);
  const span = low === high ? 0.001 : high - low;
  const frequencies = base.map((frequency, index) => {
    const stretched = Math.min(Math.max((index - low) / span, 0), 1);
    return (frequency / factor) * stretched + frequency * (1 - stretched);
  });
  const sharpness = (weight: number): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const stated = isSet('mscale') && isSet('mscale_all_dim') ? sharpness(setting('mscale')) / sharpness(setting('mscale_all_dim')) : sharpness(1);
  return { frequencies, attentionFactor: optional('attention_factor', stated) };
}

/** Rotary settings without any stretch. */
export function plainRope(theta: number, headDim: number): Rope {
  return { theta, inverseFrequencies: baseFrequencies(theta, headDim), attentionFactor: 1, scaling: null };
}

/**
 * Resolves rotary settings. `scaling` is config.json's `rope_scaling` or `rope_parameters`; its rule is named by
 * `rope_type` or, in older files, `type`; `maxPositions` is the stated context, on which some rules fall back.
 * Throws UnsupportedError for rules that are not implemented, by name.
 */
export function resolveRope(
  theta: number,
  headDim: number,
  scaling: Readonly<Record<string, unknown>> | null,
  maxPositions: number | null = null,
): Rope {
  if (scaling === null) return plainRope(theta, headDim);
  const stated = scaling['rope_type'] ?? scaling['type'] ?? 'default';
  const name = describeValue(stated);
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
    throw new UnsupportedError(`The context rule ${name} needs a positive number ${key}; found ${describeJson(value)}.`, {
      details: { feature: 'rope_scaling', found: key },
    });
  };
  const base = baseFrequencies(theta, headDim);
  const raw = (key: string): unknown => (Object.hasOwn(scaling, key) ? scaling[key] : undefined);
  const { frequencies, attentionFactor = 1 } = rule({ theta, base, setting, raw, maxPositions });
  return { theta, inverseFrequencies: frequencies, attentionFactor, scaling: name === 'default' ? null : scaling };
}

/** YaRN as GGUF states it: by its settings instead of by factors. Null under every other rule. */
export interface GgufYarn {
  readonly factor: number;
  readonly originalContext: number;
  /** Multiplies what llama.cpp derives from the factor by itself; 1 where nothing else was asked for. */
  readonly attentionFactor: number;
}

/**
 * The YaRN settings of a model for GGUF, or null if it has another rule. `maxPositions` as in `resolveRope`.
 * Throws UnsupportedError for a ramp that llama.cpp does not compute.
 */
export function ggufYarn(rope: Rope, maxPositions: number): GgufYarn | null {
  const { scaling } = rope;
  if ((scaling?.['rope_type'] ?? scaling?.['type']) !== 'yarn') return null;
  const number = (key: string, fallback: number): number => {
    const value = scaling?.[key];
    return typeof value === 'number' && value > 0 ? value : fallback;
  };
  const originalContext = number('original_max_position_embeddings', maxPositions);
  const factor = number('factor', maxPositions / originalContext);
  const usual = resolveRope(rope.theta, rope.inverseFrequencies.length * 2, { rope_type: 'yarn', factor, original_max_position_embeddings: originalContext });
  if (usual.inverseFrequencies.some((frequency, index) => frequency !== rope.inverseFrequencies[index])) {
    throw new UnsupportedError('The model stretches its context by YaRN with a ramp of its own, which GGUF programs do not compute.', {
      hint: 'Export as safetensors instead.',
      details: { feature: 'rope_scaling', found: 'yarn' },
    });
  }
  return { factor, originalContext, attentionFactor: rope.attentionFactor / usual.attentionFactor };
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
  if (fits) return { theta, inverseFrequencies, attentionFactor: 1, scaling: guess };
  return { theta, inverseFrequencies, attentionFactor: 1, scaling: { rope_type: 'factors' } };
}

/** The one factor of a uniform stretch, or null if the factors differ. 1 means no stretch. */
export function uniformFactor(factors: readonly number[]): number | null {
  const [first = 1] = factors;
  return factors.every((factor) => Math.abs(factor / first - 1) <= 1e-9) ? first : null;
}
