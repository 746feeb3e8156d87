/** What a finished run left: figures, files, and further exports. */
import type { ShearBridge } from '../../preload/contract/channels';
import type { ExportTarget, Recipe } from '../../preload/contract/recipe';
import type { Exported, RunResult } from '../../preload/contract/run';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { Comparison } from './compare.svelte';
import { joinPath, nameOf } from './paths';
import { EXPORT_CHOICES, isSameTarget } from './recipe';

/** The result of one run; `load` reads it. Refusals land in `error` and `exportError`. */
export class ResultView {
  readonly #bridge: ShearBridge;
  readonly runId: string;
  /** Known when the run came from the list or from the wizard: names the original model. */
  readonly recipe: Pick<Recipe, 'model' | 'out'>;
  result = $state.raw<RunResult | null>(null);
  comparison = $state.raw<Comparison | null>(null);
  error = $state.raw<ErrorData | null>(null);
  exportTarget = $state.raw<ExportTarget>({ format: 'gguf', dtype: 'F16' });
  exported = $state.raw<Exported | null>(null);
  exportError = $state.raw<ErrorData | null>(null);
  isExporting = $state(false);

  constructor(bridge: ShearBridge, runId: string, recipe: Pick<Recipe, 'model' | 'out'>) {
    this.#bridge = bridge;
    this.runId = runId;
    this.recipe = recipe;
  }

  /** The exported model that texts are written with: any will do, all were checked against each other. */
  get smallerModel(): string | null {
    return this.result?.exports[0]?.path ?? null;
  }

  async load(): Promise<void> {
    this.error = null;
    try {
      this.result = await ask(this.#bridge, 'runs.result', { runId: this.runId });
      const { exports } = this.result;
      const isNew = (choice: ExportTarget): boolean => !exports.some((written) => isSameTarget(written.target, choice));
      this.exportTarget = EXPORT_CHOICES.find(isNew) ?? this.exportTarget;
      const smaller = this.smallerModel;
      if (smaller !== null) this.comparison = new Comparison(this.#bridge, this.recipe.model, smaller);
    } catch (error) {
      this.error = errorData(error);
    }
  }

  /** Writes the smaller model once more, in another file type, under a folder that the person picks. */
  async exportAgain(): Promise<void> {
    this.exportError = null;
    try {
      const folder = await ask(this.#bridge, 'dialogs.pickFolder', {});
      if (folder === null) return;
      this.isExporting = true;
      const { format, dtype } = this.exportTarget;
      const out = joinPath(folder, `${nameOf(this.recipe.out)}-${format}-${dtype}${format === 'gguf' ? '.gguf' : ''}`);
      this.exported = null;
      this.exported = await ask(this.#bridge, 'runs.export', { runId: this.runId, target: this.exportTarget, out });
    } catch (error) {
      this.exportError = errorData(error);
    } finally {
      this.isExporting = false;
    }
  }

  async showInFolder(path: string): Promise<void> {
    await this.#do(() => ask(this.#bridge, 'desktop.showInFolder', { path }));
  }

  async openReport(): Promise<void> {
    await this.#do(() => ask(this.#bridge, 'desktop.openReport', { runId: this.runId }));
  }

  async #do(work: () => Promise<unknown>): Promise<void> {
    this.error = null;
    try {
      await work();
    } catch (error) {
      this.error = errorData(error);
    }
  }
}
