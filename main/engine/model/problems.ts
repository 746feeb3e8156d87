/** Collecting everything that is wrong with a model, so that a person hears it all at once instead of one by one. */
import type { Problem } from '../../../preload/contract/model';
import { FormatError, UnsupportedError, toAppError } from '../support/errors';

/** Names in one message; more are counted. */
const NAMES_SHOWN = 8;

/** A growing list of problems. Codes that start with `unsupported` mean: valid, but not for this program. */
export class Problems {
  private readonly list: Problem[] = [];

  error(code: string, message: string, hint?: string): void {
    this.list.push(hint === undefined ? { severity: 'error', code, message } : { severity: 'error', code, message, hint });
  }

  warn(code: string, message: string, hint?: string): void {
    this.list.push(
      hint === undefined ? { severity: 'warning', code, message } : { severity: 'warning', code, message, hint },
    );
  }

  /** Records an error that a reader threw. Anything but an AppError is a bug of ours and is thrown on. */
  caught(error: unknown): void {
    const known = toAppError(error);
    if (known.code === 'internal') throw error;
    this.error(known.code, known.message, known.hint);
  }

  get all(): readonly Problem[] {
    return this.list;
  }

  get errors(): readonly Problem[] {
    return this.list.filter((problem) => problem.severity === 'error');
  }

  /** Throws one error that lists all problems of severity `error`, if there are any. */
  throwErrors(name: string, path: string): void {
    const { errors } = this;
    if (errors.length === 0) return;
    const messages = errors.map((problem) => problem.message);
    const text =
      errors.length === 1
        ? messages.join('')
        : `${name} has ${errors.length} problems:\n${messages.map((message) => `- ${message}`).join('\n')}`;
    const hints = [...new Set(errors.flatMap((problem) => (problem.hint === undefined ? [] : [problem.hint])))];
    const options = {
      details: { file: path, problems: messages, codes: errors.map((problem) => problem.code) },
      ...(hints.length > 0 ? { hint: hints.join(' ') } : {}),
    };
    const isUnsupported = errors.every((problem) => problem.code.startsWith('unsupported'));
    throw isUnsupported ? new UnsupportedError(text, options) : new FormatError(text, options);
  }
}

/** Names for a message: at most a handful, then how many more. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(', ');
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}

