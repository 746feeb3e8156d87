/** The error that a call raises, for tests of what it says. */
import { AppError } from '../../main/engine/support/errors';

/** The AppError that `run` raises; any other error, or none, fails the test. */
export function errorOf(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
