/**
 * The one family of errors that the engine raises on purpose. A message says what, where, expected and found;
 * a hint says what the user can do. Anything else that escapes is a bug and becomes an InternalError.
 */

/** Facts about an error that programs may read; kept to JSON values so that it crosses processes unchanged. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What a program decides by; the text is for people. */
export type ErrorCode =
  | 'usage'
  | 'format'
  | 'shape'
  | 'unsupported'
  | 'not-found'
  | 'text'
  | 'memory'
  | 'disk'
  | 'plan'
  | 'session'
  | 'verification'
  | 'cancelled'
  | 'internal';

/** An AppError as data: what crosses IPC and what `--json` prints. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly details: ErrorDetails;
}

export interface ErrorOptionsWithHint {
  readonly hint?: string;
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/** Base of all errors raised on purpose. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithHint = {}) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }

  toData(): ErrorData {
    const data = { code: this.code, message: this.message, details: this.details };
    return this.hint === undefined ? data : { ...data, hint: this.hint };
  }
}

/** A file whose bytes do not follow its format. `details` holds `file` and, where known, `offset`. */
export class FormatError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('format', message, options);
  }
}

/** Shapes that do not fit together. `details` holds `op` or `tensor`, `expected`, `actual`. */
export class ShapeError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('shape', message, options);
  }
}

/** Something valid that this program does not do. `details` holds `feature` and `found`. */
export class UnsupportedError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('unsupported', message, options);
  }
}

/** A file or folder that is not there or may not be read. */
export class NotFoundError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('not-found', message, options);
  }
}

/** A text or token source that cannot be used. */
export class TextError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('text', message, options);
  }
}

/** Less memory or disk than the work needs. `details` holds `neededBytes` and `availableBytes`. */
export class ResourceError extends AppError {
  constructor(kind: 'memory' | 'disk', message: string, options: ErrorOptionsWithHint = {}) {
    super(kind, message, options);
  }
}

/** A pruning plan that cannot be made or applied. */
export class PlanError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('plan', message, options);
  }
}

/** The numeric runtime refused a graph or failed while running it. `details` holds `graph`. */
export class SessionError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('session', message, options);
  }
}

/** A written file that does not read back as what was meant. */
export class VerificationError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('verification', message, options);
  }
}

/** The command line or a recipe asks for something that makes no sense. */
export class UsageError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('usage', message, options);
  }
}

/** The user stopped the work. */
export class CancelledError extends AppError {
  constructor(message = 'The work was cancelled.') {
    super('cancelled', message);
  }
}

/** A broken promise of our own code. */
export class InternalError extends AppError {
  constructor(message: string, options: ErrorOptionsWithHint = {}) {
    super('internal', message, options);
  }
}

/**
 * Turns anything thrown into an AppError, keeping AppErrors as they are and naming system errors in plain words.
 * `place` is the path that was worked on, for those that name none: a failed write knows no file.
 */
export function toAppError(error: unknown, place = ''): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error) {
    const system = error as NodeJS.ErrnoException;
    const path = system.path ?? place;
    switch (system.code) {
      case 'ENOENT':
        return new NotFoundError(`There is no file or folder at ${path}.`, { cause: error, details: { file: path } });
      // Names that no file can have, or that lead through a file: nothing can be there.
      case 'ENAMETOOLONG':
      case 'ENOTDIR':
      case 'ELOOP':
        return new NotFoundError(`There can be no file at ${path.length > 300 ? `${path.slice(0, 300)}...` : path}.`, { cause: error, details: { file: path } });
      case 'EISDIR':
        return new NotFoundError(`${path === '' ? 'This' : path} is a folder; a file was expected.`, { cause: error, details: { file: path } });
      // What disks say that fail, that were unplugged, or whose server is gone.
      case 'EIO':
      case 'ENODEV':
      case 'ENXIO':
      case 'ESTALE':
        return new NotFoundError(`The disk gives an error where ${path === '' ? 'a file' : path} should be read or written.`, {
          cause: error,
          hint: 'The disk may be failing or have been removed: copy the file to another one.',
          details: { file: path },
        });
      case 'EACCES':
      case 'EPERM':
      case 'EROFS':
        return new NotFoundError(`This program may not open or write ${path}.`, {
          cause: error,
          hint: 'Check the permissions of the file and of its folder.',
          details: { file: path },
        });
      case 'ENOMEM':
        return outOfMemory(error);
      case 'EFBIG':
        return new ResourceError('disk', `The disk cannot hold a file as large as ${path === '' ? 'this' : path} would be.`, {
          cause: error,
          hint: 'Choose a folder on another disk: some, such as USB sticks, hold no files over 4 GB.',
          details: { file: path },
        });
      case 'EDQUOT':
      case 'ENOSPC':
        return new ResourceError('disk', `The disk is full${path === '' ? '' : `: ${path} could not be written`}.`, {
          cause: error,
          hint: 'Free some space, or choose a folder on another disk.',
          details: { file: path },
        });
      default:
        if (isOutOfMemory(error.message)) return outOfMemory(error);
        return new InternalError(error.message, { cause: error, details: { name: error.name } });
    }
  }
  return new InternalError(String(error));
}

/** Whether the words of an error say that memory could not be had: V8's, the C++ library's and ONNX Runtime's. */
export function isOutOfMemory(message: string): boolean {
  return /array buffer allocation failed|bad_alloc|failed to allocate memory/i.test(message);
}

function outOfMemory(cause: Error): ResourceError {
  return new ResourceError('memory', 'There was not enough memory to go on.', {
    cause,
    hint: 'Close other programs and continue the run, or start one with shorter texts or fewer of them at a time.',
    details: { found: cause.message },
  });
}
