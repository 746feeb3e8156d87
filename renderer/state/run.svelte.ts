/** One run being watched, live or from its record on disk. */
import type { ShearBridge } from '../../preload/contract/channels';
import type { RunEvent } from '../../preload/contract/run';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { emptyView, foldEvents, type RunView } from './run-view';

/** Events are gathered this long before the charts are drawn anew. */
const GATHER_MS = 150;

/** Watches the run with this id from `open` to `close`. Refusals land in `error`. */
export class RunWatch {
  readonly #bridge: ShearBridge;
  readonly runId: string;
  view = $state.raw<RunView>(emptyView());
  /** An error of watching or cancelling; the run's own error is in the view. */
  error = $state.raw<ErrorData | null>(null);
  isCancelling = $state(false);
  isLoading = $state(false);
  #queue: RunEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopListening: (() => void) | undefined;
  readonly #onChange: (before: RunView, after: RunView) => void;

  /** `onChange` is told each time that the view moved on, for announcements. */
  constructor(bridge: ShearBridge, runId: string, onChange: (before: RunView, after: RunView) => void) {
    this.#bridge = bridge;
    this.runId = runId;
    this.#onChange = onChange;
  }

  get isRunning(): boolean {
    return this.view.state === 'running';
  }

  get canContinue(): boolean {
    return this.view.state === 'interrupted' || this.view.state === 'cancelled' || this.view.state === 'failed';
  }

  /** Reads what has happened so far and listens for more. What arrives while reading is neither lost nor doubled. */
  async open(): Promise<void> {
    this.isLoading = true;
    let isReading = true;
    this.#stopListening = this.#bridge.on('run.event', (event) => {
      if (event.runId !== this.runId) return;
      this.#queue.push(event);
      if (!isReading) this.#gather();
    });
    try {
      const past = await ask(this.#bridge, 'runs.events', { runId: this.runId });
      const known = new Set(past.map((event) => JSON.stringify(event)));
      this.#queue = [...past, ...this.#queue.filter((event) => !known.has(JSON.stringify(event)))];
      const silent = this.view;
      this.view = foldEvents(silent, this.#queue);
      this.#queue = [];
    } catch (error) {
      this.error = errorData(error);
    } finally {
      isReading = false;
      this.isLoading = false;
      this.#gather();
    }
  }

  /** Stops listening. The run itself goes on. */
  close(): void {
    clearTimeout(this.#timer);
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  /** Asks the engine to stop. The page answers at once; the state follows when the engine has stopped. */
  async cancel(): Promise<void> {
    this.isCancelling = true;
    this.error = null;
    try {
      await ask(this.#bridge, 'runs.cancel', { runId: this.runId });
    } catch (error) {
      this.isCancelling = false;
      this.error = errorData(error);
    }
  }

  /** Goes on from what was saved last. */
  async continue(): Promise<void> {
    this.error = null;
    const before = this.view;
    this.view = { ...before, state: 'running', error: null };
    try {
      await ask(this.#bridge, 'runs.continue', { runId: this.runId });
    } catch (error) {
      this.view = before;
      this.error = errorData(error);
    }
  }

  /** Told by the window when the engine process ended while this run was going. */
  lost(): void {
    this.#flush();
    if (this.isRunning) this.view = { ...this.view, state: 'interrupted', secondsLeft: null };
    this.isCancelling = false;
  }

  #gather(): void {
    if (this.#timer !== undefined || this.#queue.length === 0) return;
    this.#timer = setTimeout(() => this.#flush(), GATHER_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const before = this.view;
    const events = this.#queue;
    this.#queue = [];
    this.view = foldEvents(before, events);
    if (!this.isRunning) this.isCancelling = false;
    if (this.view !== before) this.#onChange(before, this.view);
  }
}
