/** A command's arguments, checked as they are taken; whatever does not fit is a UsageError in plain words. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { parseBytes } from '../engine/jobs/machine';
import { UsageError } from '../engine/support/errors';
import type { OptionsConfig } from './command';

/** Options that every command knows. */
const COMMON_OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  threads: { type: 'string' },
} as const satisfies OptionsConfig;

/** Thousands, millions and billions. */
const COUNT_UNITS: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, B: 1e9 };

type OptionValue = string | boolean | (string | boolean)[] | undefined;

export class Arguments {
  private constructor(
    private readonly values: Readonly<Record<string, OptionValue>>,
    readonly positions: readonly string[],
    private readonly cwd: string,
  ) {}

  /** Throws UsageError for options that a command does not have. */
  static parse(argv: readonly string[], options: OptionsConfig, cwd: string): Arguments {
    try {
      const { values, positionals } = parseArgs({ args: [...argv], options: { ...options, ...COMMON_OPTIONS }, allowPositionals: true, strict: true });
      return new Arguments(values, positionals, cwd);
    } catch (error) {
      // Node's first sentence names the option; what follows is advice for programmers.
      const message = error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
      throw new UsageError(`${message.replace(/\.$/, '')}.`, { cause: error });
    }
  }

  flag(name: string): boolean {
    return this.values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): readonly string[] {
    const value = this.values[name];
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  }

  has(name: string): boolean {
    return this.values[name] !== undefined;
  }

  /** A number within limits (inclusive), or undefined where the option is not given. */
  number(name: string, limits: { readonly least: number; readonly most?: number; readonly whole?: boolean }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    const { least, most = Number.MAX_SAFE_INTEGER, whole = false } = limits;
    if (!Number.isFinite(value) || value < least || value > most || (whole && !Number.isInteger(value))) {
      const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `between ${least} and ${most}`;
      throw new UsageError(`--${name} needs a ${whole ? 'whole ' : ''}number ${range}; found "${text}".`);
    }
    return value;
  }

  /** A size such as `4GB` in bytes, or undefined where the option is not given. */
  bytes(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseBytes(`--${name}`, text);
  }

  /** A count such as `100M` or `1.5B`, or undefined where the option is not given. */
  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const [, number = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([kmb]?)\s*$/i.exec(text) ?? [];
    const value = number === '' ? Number.NaN : Math.round(Number(number) * (COUNT_UNITS[unit.toUpperCase()] ?? Number.NaN));
    if (!(value > 0 && Number.isSafeInteger(value))) throw new UsageError(`--${name} needs a number such as 100M, 1.5B or 135000000; found "${text}".`);
    return value;
  }

  /** One of several words, in any case. */
  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : pick(name, text, choices);
  }

  choices<Choice extends string>(name: string, choices: readonly Choice[]): Choice[] {
    return this.list(name).map((text) => pick(name, text, choices));
  }

  /** All positional arguments, at least one, as absolute paths; `what` names one in messages. */
  paths(what: string): readonly string[] {
    if (this.positions.length === 0) throw missing(what);
    return this.positions.map((position) => this.path(position));
  }

  /** The only positional argument, as an absolute path; `what` names it in messages. */
  onePath(what: string): string {
    const path = this.optionalPath();
    if (path === undefined) throw missing(what);
    return path;
  }

  /** The positional argument as an absolute path where there is one. Throws UsageError when there are more. */
  optionalPath(): string | undefined {
    const [first, second] = this.positions;
    if (second !== undefined) throw new UsageError(`"${second}" is one argument too many.`, { hint: 'Put names with spaces in quotation marks.' });
    return first === undefined ? undefined : this.path(first);
  }

  /** Throws UsageError when there is a positional argument. */
  noPath(): void {
    const [first] = this.positions;
    if (first !== undefined) throw new UsageError(`"${first}" is one argument too many.`);
  }

  /** An absolute path from one that the user wrote. */
  path(text: string): string {
    return resolve(this.cwd, text);
  }

  /** Throws UsageError when an option is missing. */
  required(name: string): string {
    const text = this.text(name);
    if (text === undefined || text === '') throw missing(`--${name}`);
    return text;
  }
}

function missing(what: string): UsageError {
  return new UsageError(`${what} is missing.`, { hint: 'Add --help to see how the command is used.' });
}

function pick<Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
  if (found === undefined) throw new UsageError(`--${name} is one of ${choices.join(', ')}; found "${text}".`);
  return found;
}
