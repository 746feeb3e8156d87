/** Progress and cancellation of long work: the two things that every long function takes. */
import { CancelledError } from './errors';

/** How far one piece of work is, in units of its own. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

export type OnProgress = (progress: Progress) => void;

/** Throws CancelledError if the signal was raised. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CancelledError();
}

/** Gives the event loop one turn (messages, signals), then throws if cancelled: call it between blocking calls. */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  throwIfCancelled(signal);
}
