/** The whole window's state: which page is shown, the job in the wizard, the run being watched, what was dropped. */
import type { Reply, ShearBridge } from '../../preload/contract/channels';
import type { Recipe, RecipeInput } from '../../preload/contract/recipe';
import type { RunSummary } from '../../preload/contract/run';
import { text } from '../text/catalogue';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { Candidates } from './candidates.svelte';
import { Job } from './job.svelte';
import type { ModelChoice } from './model.svelte';
import { nameOf, sortDrop } from './paths';
import { ReportState } from './report.svelte';
import { ResultView } from './result.svelte';
import { RunWatch } from './run.svelte';
import type { RunView } from './run-view';
import { RunList } from './runs.svelte';
import { SettingsState } from './settings.svelte';
import { UndoQueue } from './undo.svelte';

/** Steps of the wizard, in their order. */
export const STEPS = ['model', 'size', 'texts', 'check', 'run', 'result'] as const;
/** One step of the wizard. */
export type Step = (typeof STEPS)[number];
/** What the window shows. */
export type Page = 'home' | Step | 'settings' | 'help';

/** The window’s state; made once. Refusals land in `error`, or in the part that was asked. */
export class AppState {
  readonly #bridge: ShearBridge;
  readonly undo = new UndoQueue();
  readonly runs: RunList;
  readonly settings: SettingsState;
  readonly report: ReportState;
  page = $state<Page>('home');
  job = $state.raw<Job | null>(null);
  /** Models that were dropped together, to choose one of; null when there was only one. */
  candidates = $state.raw<Candidates | null>(null);
  run = $state.raw<RunWatch | null>(null);
  result = $state.raw<ResultView | null>(null);
  example = $state.raw<Reply<'app.example'> | null>(null);
  about = $state.raw<Reply<'app.about'> | null>(null);
  /** What a drop was taken for, in words. */
  notice = $state('');
  /** For the polite live region. */
  announcement = $state('');
  error = $state.raw<ErrorData | null>(null);
  /** What the engine said when it was lost; empty while all is well. */
  engineLost = $state('');
  #textsWaiting: readonly string[] = [];
  #recipeOfRun: Pick<Recipe, 'model' | 'out'> | null = null;

  constructor(bridge: ShearBridge) {
    this.#bridge = bridge;
    this.runs = new RunList(bridge, this.undo);
    this.settings = new SettingsState(bridge);
    this.report = new ReportState(bridge);
  }

  /** Loads what the first page needs, keeps its list true, and listens for the engine's end. */
  async start(): Promise<void> {
    this.#bridge.on('engine.lost', ({ message }) => {
      this.engineLost = message;
      this.run?.lost();
    });
    this.#bridge.on('app.opened', () => void this.#takeOpened());
    this.#bridge.on('run.event', (event) => {
      if (event.type === 'state' && this.page === 'home') void this.runs.refresh();
    });
    await Promise.all([
      this.settings.load(),
      this.runs.refresh(),
      this.#load('app.example', (example) => (this.example = example)),
      this.#load('app.about', (about) => (this.about = about)),
    ]);
    await this.#takeOpened();
  }

  /** Whether a step can be gone to from here. */
  canVisit(step: Step): boolean {
    if (step === 'run') return this.run !== null;
    if (step === 'result') return this.result !== null;
    const job = this.job;
    if (this.run?.isRunning === true) return false;
    if (step === 'model') return job !== null || this.candidates !== null;
    if (job === null || !job.model.isUsable) return false;
    if (step === 'size') return true;
    if (!job.size.isReady) return false;
    return step === 'texts' || job.texts.isReady;
  }

  /** Whether "Next" leads on from the page that is shown. */
  get canGoOn(): boolean {
    const next = this.#neighbour(1);
    return next !== null && next !== 'run' && this.canVisit(next);
  }

  goTo(page: Page): void {
    this.notice = '';
    this.error = null;
    this.page = page;
    if (page === 'home') void this.runs.refresh();
    if (page === 'size') this.job?.size.refresh();
    if (page === 'settings') void this.settings.loadDevices();
    if (page === 'check') void this.job?.check.enter();
  }

  next(): void {
    const step = this.#neighbour(1);
    if (step !== null && this.canVisit(step)) this.goTo(step);
  }

  back(): void {
    const step = this.#neighbour(-1);
    this.goTo(step ?? 'home');
  }

  /** Starts a job for the model at a path and shows what it is; `notice` says why. */
  async openModel(path: string, notice = ''): Promise<void> {
    this.candidates = null;
    await this.#open(path, notice);
  }

  /** Takes one of the models that were dropped together. Texts of the one before it stay. */
  async choose(candidate: ModelChoice): Promise<void> {
    this.#keepTexts(this.job?.texts.sources.map((source) => source.path) ?? []);
    await this.#open(candidate.path);
  }

  async #open(path: string, notice = ''): Promise<void> {
    this.#leaveRun();
    const job = new Job(this.#bridge, path, this.undo);
    this.job = job;
    this.page = 'model';
    this.notice = notice;
    this.error = null;
    await job.model.inspect();
    if (this.job !== job || !job.model.isUsable) return;
    if (path !== this.example?.model) void this.settings.remember(job.model.inspection?.path ?? path);
    const files = this.#textsWaiting.map((waiting) => ({ path: waiting }));
    this.#textsWaiting = [];
    if (files.length > 0) await job.texts.add(files);
    else if (path === this.example?.model) await job.texts.add(this.example.texts);
  }

  async tryExample(): Promise<void> {
    if (this.example !== null) await this.openModel(this.example.model);
  }

  async pickModel(kind: 'file' | 'folder'): Promise<void> {
    try {
      const path = await ask(this.#bridge, kind === 'file' ? 'dialogs.pickModel' : 'dialogs.pickModelFolder', {});
      if (path !== null) await this.openModel(path);
    } catch (error) {
      this.error = errorData(error);
    }
  }

  /** Takes whatever was dropped or pasted and says what it took. */
  async takePaths(paths: readonly string[]): Promise<void> {
    const given = paths.filter((path) => path !== '');
    if (given.length === 0) {
      this.notice = text.drop.nothing;
      return;
    }
    switch (this.page) {
      case 'home':
      case 'settings':
      case 'help':
      case 'model':
        await this.#takeForModel(given);
        return;
      case 'size':
      case 'texts':
      case 'check':
        await this.#takeTexts(given);
        return;
      case 'run':
      case 'result':
        this.notice = text.drop.notNow;
    }
  }

  /** Takes what the system asked to open as if it had been dropped. */
  async #takeOpened(): Promise<void> {
    await this.#load('app.takeOpened', (paths) => {
      if (paths.length > 0) void this.takePaths(paths);
    });
  }

  /** The path of a File of the browser; empty if it has none. */
  pathOf(file: File): string {
    return this.#bridge.pathOf(file);
  }

  async startRun(): Promise<void> {
    const job = this.job;
    if (job === null) return;
    const recipe = job.check.recipe;
    const runId = await job.check.start();
    if (runId !== null) await this.#watch(runId, recipe);
  }

  /** Shows a run from the list: its result if it has one, else how far it came. */
  async openRun(summary: RunSummary): Promise<void> {
    this.job = null;
    this.candidates = null;
    await this.#watch(summary.runId, summary.recipe);
    if (summary.state === 'done') this.goTo('result');
  }

  /** Goes on with a run from the list. */
  async continueRun(summary: RunSummary): Promise<void> {
    await this.openRun(summary);
    await this.run?.continue();
  }

  /** Goes on with the run that the engine's end interrupted. */
  async continueAfterLoss(): Promise<void> {
    this.engineLost = '';
    if (this.run === null) return;
    this.page = 'run';
    await this.run.continue();
  }

  async #takeForModel(paths: readonly string[]): Promise<void> {
    const { models, texts } = sortDrop(paths);
    const [model, another] = models;
    if (model === undefined) {
      if (this.job !== null && this.page === 'model') {
        const added = await this.job.texts.add(texts.map((path) => ({ path })));
        this.notice = text.drop.textsAdded(added);
      } else {
        this.#keepTexts(texts);
        this.notice = text.drop.textsKept(this.#textsWaiting.length, this.candidates !== null);
      }
      return;
    }
    this.#keepTexts(texts);
    await (another === undefined ? this.openModel(model, text.drop.took(nameOf(model), texts.length)) : this.#offer(models));
  }

  #showCandidates(paths: readonly string[]): Candidates {
    this.#leaveRun();
    const candidates = new Candidates(this.#bridge, paths);
    this.candidates = candidates;
    this.job = null;
    this.page = 'model';
    this.error = null;
    this.notice = text.drop.several(paths.length, this.#textsWaiting.length);
    return candidates;
  }

  /** Looks at several models and lets the person choose; where only one can be used, that is taken. */
  async #offer(paths: readonly string[]): Promise<void> {
    const candidates = this.#showCandidates(paths);
    await candidates.inspect();
    if (this.candidates !== candidates) return;
    const { models, usable: [only, second] } = candidates;
    const isAlone = models.length === 1;
    if (isAlone) this.candidates = null;
    if (this.page !== 'model' || this.job !== null || only === undefined || second !== undefined) return;
    await this.#open(only.path, (isAlone ? text.drop.took : text.drop.onlyOne)(only.name, this.#textsWaiting.length));
  }

  #keepTexts(paths: readonly string[]): void {
    this.#textsWaiting = [...new Set([...this.#textsWaiting, ...paths])];
  }

  async #takeTexts(paths: readonly string[]): Promise<void> {
    if (this.job === null) return;
    if (this.page !== 'texts') this.goTo('texts');
    const added = await this.job.texts.add(paths.map((path) => ({ path })));
    this.notice = text.drop.textsAdded(added);
  }

  async #watch(runId: string, recipe: RecipeInput): Promise<void> {
    this.#leaveRun();
    this.#recipeOfRun = { model: recipe.model, out: recipe.out };
    const run = new RunWatch(this.#bridge, runId, (before, after) => this.#tell(before, after));
    this.run = run;
    this.page = 'run';
    this.error = null;
    await run.open();
    if (run === this.run && run.view.state === 'done') await this.#loadResult();
  }

  #leaveRun(): void {
    this.run?.close();
    this.run = null;
    this.result = null;
  }

  /** Announces milestones only: a new stage and the end. */
  #tell(before: RunView, after: RunView): void {
    if (after.stage !== null && after.stage !== before.stage) this.announcement = text.run.stages[after.stage].now;
    if (after.state !== before.state) {
      this.announcement = text.run.states[after.state];
      if (after.state === 'done') void this.#loadResult();
    }
  }

  async #loadResult(): Promise<void> {
    if (this.run === null || this.#recipeOfRun === null) return;
    const result = new ResultView(this.#bridge, this.run.runId, this.#recipeOfRun);
    this.result = result;
    await result.load();
  }

  #neighbour(distance: 1 | -1): Step | null {
    const at = STEPS.findIndex((step) => step === this.page);
    return at < 0 ? null : (STEPS[at + distance] ?? null);
  }

  async #load<Name extends 'app.example' | 'app.about' | 'app.takeOpened'>(name: Name, use: (value: Reply<Name>) => void): Promise<void> {
    try {
      use(await ask(this.#bridge, name, {}));
    } catch (error) {
      this.error = errorData(error);
    }
  }
}
