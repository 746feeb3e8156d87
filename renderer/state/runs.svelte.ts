/** The list of runs on the first page. */
import type { ShearBridge } from '../../preload/contract/channels';
import type { RunSummary } from '../../preload/contract/run';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import type { UndoQueue } from './undo.svelte';

/** The runs on disk. Refusals land in `error`. */
export class RunList {
  readonly #bridge: ShearBridge;
  readonly #undo: UndoQueue;
  #all = $state.raw<readonly RunSummary[]>([]);
  #hidden = $state.raw<readonly string[]>([]);
  error = $state.raw<ErrorData | null>(null);
  isLoaded = $state(false);

  constructor(bridge: ShearBridge, undo: UndoQueue) {
    this.#bridge = bridge;
    this.#undo = undo;
  }

  /** The runs that are not deleted, newest first. */
  get runs(): readonly RunSummary[] {
    return this.#all.filter((run) => !this.#hidden.includes(run.runId)).sort((a, b) => b.startedAt - a.startedAt);
  }

  async refresh(): Promise<void> {
    try {
      this.#all = await ask(this.#bridge, 'runs.list', {});
      this.error = null;
    } catch (error) {
      this.error = errorData(error);
    } finally {
      this.isLoaded = true;
    }
  }

  /** Takes a run out of the list at once; its record is deleted when the time for undoing is over. */
  remove(runId: string, message: string): void {
    this.#hidden = [...this.#hidden, runId];
    this.#undo.offer(
      message,
      () => {
        this.#hidden = this.#hidden.filter((id) => id !== runId);
      },
      () => void this.#delete(runId),
    );
  }

  async #delete(runId: string): Promise<void> {
    try {
      await ask(this.#bridge, 'runs.delete', { runId });
      this.#all = this.#all.filter((run) => run.runId !== runId);
    } catch (error) {
      this.error = errorData(error);
    }
    this.#hidden = this.#hidden.filter((id) => id !== runId);
  }
}
