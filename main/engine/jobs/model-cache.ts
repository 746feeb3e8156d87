/** Models kept in memory while a person tries texts with them, so that each prompt does not load gigabytes anew. */
import { stat } from 'node:fs/promises';
import { Executor } from '../execution/executor';
import { apart } from '../execution/loaded-model';
import type { TextModel } from '../execution/text-model';
import { loadUsableWriter, type UsableModel } from './use-model';

/** Before and after: more are not compared at a time. */
const MOST_MODELS = 2;

interface Kept {
  readonly path: string;
  readonly changedMs: number;
  readonly usable: Promise<UsableModel<TextModel>>;
}

/** Keeps the models used last, and one executor for them. */
export class ModelCache {
  private kept: Kept[] = [];
  private executor: Promise<Executor> | null = null;

  constructor(private readonly threads: number) {}

  /** A model in memory, loaded if need be. A model that changed on disk is loaded again. */
  async use(path: string, signal?: AbortSignal): Promise<{ usable: UsableModel<TextModel>; executor: Executor }> {
    const { mtimeMs } = await stat(path);
    let found = this.kept.find((one) => one.path === path && one.changedMs === mtimeMs);
    if (found === undefined) {
      // Room first: the two old ones and the new one together may not fit into memory.
      const others = this.kept.filter((one) => one.path !== path);
      await closeAll([...this.kept.filter((one) => one.path === path), ...others.slice(MOST_MODELS - 1)]);
      this.kept = others.slice(0, MOST_MODELS - 1);
      found = { path, changedMs: mtimeMs, usable: loadUsableWriter(path, { signal }) };
    }
    const chosen = found;
    this.kept = [chosen, ...this.kept.filter((one) => one !== chosen)];
    this.executor ??= Executor.create({ threads: this.threads });
    try {
      const usable = await chosen.usable;
      // Two prompts may be going on at once with one model.
      return { usable: { ...usable, model: 'turned' in usable.model ? usable.model : apart(usable.model) }, executor: await this.executor };
    } catch (error) {
      this.kept = this.kept.filter((one) => one !== chosen);
      throw error;
    }
  }

  /** Lets everything go: a run needs the memory, or the program ends. */
  async clear(): Promise<void> {
    const kept = this.kept;
    this.kept = [];
    await closeAll(kept);
    const executor = this.executor;
    this.executor = null;
    if (executor !== null) await (await executor).dispose();
  }
}

async function closeAll(kept: readonly Kept[]): Promise<void> {
  for (const { usable } of kept) {
    // A model that could not be loaded has closed its files itself.
    await usable.then((loaded) => loaded.close(), () => undefined);
  }
}
