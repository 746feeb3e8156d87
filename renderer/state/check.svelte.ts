/** Effort, output folder and finer settings, with the engine's estimate of what the run will take. */
import type { ShearBridge } from '../../preload/contract/channels';
import { defaultLearningRate, type ExportTarget, type LorashearSettings } from '../../preload/contract/recipe';
import type { Estimate } from '../../preload/contract/run';
import { text } from '../text/catalogue';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { LatestOnly } from './latest';
import { joinPath } from './paths';
import { buildRecipe, DEFAULT_BATCH, DEFAULT_LENGTH, isSameTarget, type Effort, type Precision } from './recipe';
import type { Job } from './job.svelte';

const PAUSE_MS = 300;
const MAX_SEED = 4_294_967_295;
const DEFAULT_PROMPTS = 'Once upon a time\nThe most important thing to know is';

/** Choices of the check page. Refusals land in `error`. */
export class CheckChoice {
  readonly #bridge: ShearBridge;
  readonly #job: Job;
  readonly #latest = new LatestOnly(PAUSE_MS);
  effort = $state<Effort>('normal');
  rank = $state(8);
  #ownRate = $state<number | null>(null);
  batch = $state(DEFAULT_BATCH);
  length = $state(DEFAULT_LENGTH);
  seed = $state(0);
  prompts = $state(DEFAULT_PROMPTS);
  out = $state('');
  #outIsOwn = false;
  compensation = $state<LorashearSettings['compensation']>('none');
  precision = $state<Precision>('fastest');
  estimate = $state.raw<Estimate | null>(null);
  error = $state.raw<ErrorData | null>(null);
  busy = $state(false);
  starting = $state(false);

  constructor(bridge: ShearBridge, job: Job) {
    this.#bridge = bridge;
    this.#job = job;
  }

  /** The rate that was typed in, or the one that fits the model's width. */
  get learningRate(): number {
    return this.#ownRate ?? defaultLearningRate(this.#job.model.inspection?.hidden ?? 0);
  }

  /** The file types to be written; the size is counted in the first one. */
  get exports(): readonly ExportTarget[] {
    return this.#job.size.targets;
  }

  /** Whether the run may start: an estimate without errors. */
  get isReady(): boolean {
    return (
      this.estimate !== null && this.error === null && !this.busy && !this.starting &&
      !this.estimate.problems.some((problem) => problem.severity === 'error')
    );
  }

  /** The recipe as it stands now. */
  get recipe(): ReturnType<typeof buildRecipe> {
    const { model, size, texts } = this.#job;
    return buildRecipe({
      model: model.path,
      contextLength: model.inspection?.contextLength ?? 0,
      size: size.size,
      mode: size.mode,
      locks: size.locks.list,
      sources: texts.used.map((source) => ({
        path: source.path,
        name: source.name,
        weight: source.weight,
        stage: source.stage,
        isIds: source.preview?.format === 'token ids',
        columns: source.form.choice,
        tokens: source.tokens,
      })),
      effort: this.effort,
      rank: this.rank,
      learningRate: this.learningRate,
      batch: this.batch,
      length: this.length,
      seed: this.seed,
      compensation: this.compensation,
      precision: this.precision,
      out: this.out,
      exports: this.exports,
      prompts: this.prompts,
    });
  }

  /** Called whenever the page is shown: suggests a folder unless one was chosen, and asks for the estimate. */
  async enter(): Promise<void> {
    if (!this.#outIsOwn) {
      this.busy = true;
      try {
        this.out = await ask(this.#bridge, 'paths.suggestOut', { name: this.#resultName });
      } catch (error) {
        this.error = errorData(error);
        this.busy = false;
        return;
      }
    }
    this.refresh();
  }

  async pickOut(): Promise<void> {
    try {
      const folder = await ask(this.#bridge, 'dialogs.pickFolder', {});
      if (folder === null) return;
      this.out = joinPath(folder, this.#resultName);
      this.#outIsOwn = true;
      this.refresh();
    } catch (error) {
      this.error = errorData(error);
    }
  }

  setEffort(effort: Effort): void {
    this.effort = effort;
    this.refresh();
  }

  setRank(rank: number): void {
    this.rank = inRange(rank, 1, 256, this.rank, true);
    this.refresh();
  }

  setLearningRate(rate: number): void {
    this.#ownRate = inRange(rate, 1e-6, 1, this.learningRate, false);
    this.refresh();
  }

  setBatch(batch: number): void {
    this.batch = inRange(batch, 1, 256, this.batch, true);
    this.refresh();
  }

  setLength(length: number): void {
    this.length = inRange(length, 16, 8192, this.length, true);
    this.refresh();
  }

  setSeed(seed: number): void {
    this.seed = inRange(seed, 0, MAX_SEED, this.seed, true);
    this.refresh();
  }

  setCompensation(compensation: LorashearSettings['compensation']): void {
    this.compensation = compensation;
    this.refresh();
  }

  setPrecision(precision: Precision): void {
    this.precision = precision;
    this.refresh();
  }

  hasExport(target: ExportTarget): boolean {
    return this.exports.some((chosen) => isSameTarget(chosen, target));
  }

  /** Puts a file type in or takes it out; the last one stays, because a run without a result is no use. */
  toggleExport(target: ExportTarget): void {
    const rest = this.exports.filter((chosen) => !isSameTarget(chosen, target));
    if (rest.length === this.exports.length) this.#job.size.setTargets([...rest, target]);
    else if (rest.length > 0) this.#job.size.setTargets(rest);
    this.refresh();
  }

  /** Asks for the estimate of the recipe as it stands. */
  refresh(): void {
    this.busy = true;
    const recipe = this.recipe;
    this.#latest.schedule(
      () => ask(this.#bridge, 'plan.check', { recipe }),
      (estimate) => {
        this.estimate = estimate;
        this.error = null;
        this.busy = false;
      },
      (error) => {
        this.error = errorData(error);
        this.busy = false;
      },
    );
  }

  /** Starts the run and returns its id, or null if the engine refused; the refusal is then in `error`. */
  async start(): Promise<string | null> {
    this.starting = true;
    this.error = null;
    try {
      const { runId } = await ask(this.#bridge, 'runs.start', { recipe: this.recipe });
      return runId;
    } catch (error) {
      this.error = errorData(error);
      return null;
    } finally {
      this.starting = false;
    }
  }

  get #resultName(): string {
    const base = this.#job.model.name.replace(/\.gguf$/i, '');
    return `${base}-${text.size.nameEnd(this.#job.size.size)}`;
  }
}

/** A number brought into a range; what is no number leaves the old value. */
function inRange(value: number, least: number, most: number, old: number, whole: boolean): number {
  if (!Number.isFinite(value)) return old;
  const bounded = Math.min(most, Math.max(least, value));
  return whole ? Math.round(bounded) : bounded;
}
