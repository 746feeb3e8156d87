/** Counts the work of long matrix computations, so that they report progress and can be stopped between products. */
import { breathe, type OnProgress } from '../support/progress';

/** How a long computation is watched and stopped. */
export interface Watch {
  /** Looked at between any two products. */
  readonly signal?: AbortSignal | undefined;
  /** Units are multiply-adds. */
  readonly onProgress?: OnProgress | undefined;
}

/** Called after each product with its multiply-adds. Throws CancelledError once the signal was raised. */
export type Step = (multiplyAdds: number) => Promise<void>;

/** A step that reports against `total` multiply-adds. */
export function countSteps(total: number, watch: Watch): Step {
  let done = 0;
  return async (multiplyAdds) => {
    done += multiplyAdds;
    watch.onProgress?.({ done: Math.min(done, total), total });
    await breathe(watch.signal);
  };
}
