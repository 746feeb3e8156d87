/**
 * Looking up numbers in a configuration that somebody else wrote: each look-up checks type and range, records what is
 * wrong, and answers a stand-in so that the remaining settings are checked too.
 */
import { describeJson } from '../support/describe-value';
import type { Problems } from './problems';

/** A bound that keeps shapes countable. */
const MAX_WHOLE = 2 ** 31 - 1;

/** Bounds far above every known model, on what a hostile file can make us allocate before its tensors are seen. */
export const MAX_LAYERS = 4096;
export const MAX_HEAD_DIM = 8192;

/** Settings by key, with `where` naming their file for messages. */
export class Settings {
  private readonly look: (key: string) => unknown;
  private readonly where: string;
  private readonly problems: Problems;
  private readonly spelled: (key: string) => string;

  /** `spelled` gives a setting's name in the file, for messages. */
  constructor(look: (key: string) => unknown, where: string, problems: Problems, spelled = (key: string): string => key) {
    this.look = look;
    this.spelled = spelled;
    this.where = where;
    this.problems = problems;
  }

  /** The raw value; null stands for absent, as in Python's files. */
  raw(key: string): unknown {
    return this.look(key) ?? null;
  }

  /** A whole number in [1, limit]. Without a fallback the setting is required. */
  whole(key: string, fallback?: number, limit = MAX_WHOLE): number {
    // What follows from other settings where this one is absent may be as wrong as they are.
    const value = this.raw(key) ?? fallback ?? null;
    if (isWhole(value) && value <= limit) return value;
    this.refuse(key, limit === MAX_WHOLE ? 'a whole number from 1 on' : `a whole number from 1 to ${limit}`, value);
    return Math.min(fallback ?? 1, limit);
  }

  /** A finite number above 0. */
  positive(key: string, fallback?: number): number {
    const value = this.raw(key);
    if (value === null && fallback !== undefined) return fallback;
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
    this.refuse(key, 'a number above 0', value);
    return fallback ?? 1;
  }

  /** True or false. */
  flag(key: string, fallback: boolean): boolean {
    const value = this.raw(key);
    if (value === null) return fallback;
    if (typeof value === 'boolean') return value;
    this.refuse(key, 'true or false', value);
    return fallback;
  }

  /** One whole number for all layers, or a list with one per layer. */
  perLayer(key: string, layers: number, fallback?: readonly number[]): readonly number[] {
    const value = this.raw(key);
    if (value === null && fallback !== undefined) return fallback;
    if (isWhole(value)) return Array.from({ length: layers }, () => value);
    if (Array.isArray(value) && value.length === layers && value.every(isWhole)) return value;
    this.refuse(key, `a whole number from 1 on, or a list of ${layers} of them, one per layer`, value);
    return fallback ?? Array.from({ length: layers }, () => 1);
  }

  /** Records that a setting has a value that is not implemented. */
  unsupported(key: string, code: string, known: readonly string[], found: unknown): void {
    this.problems.error(code, `${this.where} states ${this.spelled(key)} as ${describeJson(found)}; implemented are ${known.join(', ')}.`);
  }

  /** Records that a setting is wrong or missing. */
  refuse(key: string, expected: string, found: unknown): void {
    if (found === null) {
      this.problems.error('missing-setting', `${this.where} does not state ${this.spelled(key)}; expected ${expected}.`);
    } else {
      const text = describeJson(found);
      this.problems.error('bad-setting', `${this.where} states ${this.spelled(key)} as ${text}; expected ${expected}.`);
    }
  }
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_WHOLE;
}
