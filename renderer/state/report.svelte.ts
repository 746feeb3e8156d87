/** The report for somebody who helps: written by the program, read and edited by the person, saved only then. */
import type { ShearBridge } from '../../preload/contract/channels';
import { ask, errorData, type ErrorData } from './bridge.svelte';

/** One report; empty until it is written. Refusals land in `error`. */
export class ReportState {
  readonly #bridge: ShearBridge;
  text = $state('');
  /** Where it was saved; empty until then. */
  savedAt = $state('');
  busy = $state(false);
  error = $state.raw<ErrorData | null>(null);

  constructor(bridge: ShearBridge) {
    this.#bridge = bridge;
  }

  async write(): Promise<void> {
    await this.#try(async () => {
      ({ text: this.text } = await ask(this.#bridge, 'diagnostics.write', {}));
      this.savedAt = '';
    });
  }

  async save(): Promise<void> {
    await this.#try(async () => {
      const path = await ask(this.#bridge, 'diagnostics.save', { text: this.text });
      if (path !== null) this.savedAt = path;
    });
  }

  async show(): Promise<void> {
    await this.#try(() => ask(this.#bridge, 'desktop.showInFolder', { path: this.savedAt }));
  }

  async #try(work: () => Promise<unknown>): Promise<void> {
    this.busy = true;
    this.error = null;
    try {
      await work();
    } catch (error) {
      this.error = errorData(error);
    } finally {
      this.busy = false;
    }
  }
}
