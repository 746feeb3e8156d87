/** How a run is stopped so that nothing is lost: a stage that keeps states may come to its next one first, if that is soon. */

/** Abort reason that means "stop now, go on later": the program is closing. */
export const PAUSE = 'pause';

/** How long a stage may take to come to its next state. A person waits for "Cancel"; nobody waits for a program that closes. */
const CANCEL_GRACE_MS = 2000;
const PAUSE_GRACE_MS = 15_000;

export interface SoftStopOptions {
  /** Milliseconds until a stage is stopped in its middle; by default 2 s, and 15 s where the run is only paused. */
  readonly graceMs?: number | undefined;
}

/** Between whoever stops a run and one stage of it. Whoever makes it disposes it. */
export class SoftStop {
  private readonly inner = new AbortController();
  private keepsStates = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly asked: AbortSignal,
    private readonly options: SoftStopOptions = {},
  ) {
    if (asked.aborted) this.begin();
    else asked.addEventListener('abort', this.begin, { once: true });
  }

  /** What the stage obeys. */
  get signal(): AbortSignal {
    return this.inner.signal;
  }

  /** To be asked at each state that the stage offers: whether that one has to be kept, since the run is to stop there. */
  wantsState(): boolean {
    this.keepsStates = true;
    return this.asked.aborted && !this.inner.signal.aborted;
  }

  /** Stops the stage. */
  now(): void {
    this.inner.abort(this.asked.reason);
    this.dispose();
  }

  dispose(): void {
    this.asked.removeEventListener('abort', this.begin);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private readonly begin = (): void => {
    if (!this.keepsStates) return this.now();
    const { graceMs = this.asked.reason === PAUSE ? PAUSE_GRACE_MS : CANCEL_GRACE_MS } = this.options;
    this.timer = setTimeout(() => {
      this.now();
    }, graceMs);
  };
}
