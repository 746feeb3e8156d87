/** The texts that the smaller model shall stay good at: what was given, what is in them, and how much each counts. */
import type { Reply, ShearBridge } from '../../preload/contract/channels';
import type { TextPreview } from '../../preload/contract/model';
import type { Columns, Source } from '../../preload/contract/recipe';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { ColumnsForm, type ColumnKind, type ColumnPart } from './columns.svelte';
import { nameOf, uniqueName } from './paths';
import type { UndoQueue } from './undo.svelte';

/** A text that comes with the program. */
export type StarterText = Reply<'app.example'>['texts'][number];

/** Largest weight of a text in the mix. */
export const MAX_WEIGHT = 1000;

/** What training takes of a text. */
export interface Drawn {
  /** Share of the training, 0 to 1. */
  readonly share: number;
  readonly tokens: number;
  /** How many times over its text comes, at most once below 1. */
  readonly passes: number;
}

/** One text source and what is known about it. */
export class TextSource {
  readonly path: string;
  readonly name: string;
  weight = $state(1);
  /** At first what the format tells; the person can change it. */
  stage = $state<NonNullable<Source['stage']>>('pretraining');
  preview = $state.raw<TextPreview | null>(null);
  error = $state.raw<ErrorData | null>(null);
  busy = $state(true);
  readonly form = new ColumnsForm();
  /** Columns of its rows that can be chosen; what was seen of them stays when a choice leads nowhere. */
  columns = $state.raw<readonly string[]>([]);

  constructor(path: string, name: string) {
    this.path = path;
    this.name = name;
  }

  /** Whether it can and shall take part in the training. */
  get isUsed(): boolean {
    return this.weight > 0 && this.preview !== null && !this.hasError;
  }

  get hasError(): boolean {
    return this.error !== null || (this.preview?.problems.some((problem) => problem.severity === 'error') ?? false);
  }

  get tokens(): number {
    return this.preview?.tokens ?? 0;
  }

  /** Whether its rows can be read but none of them tells what is text. */
  get needsColumns(): boolean {
    return this.columns.length > 0 && this.form.choice === null && this.preview !== null && this.preview.documents === 0;
  }

  setWeight(weight: number): void {
    if (!Number.isFinite(weight)) return;
    this.weight = Math.min(MAX_WEIGHT, Math.max(0, weight));
  }
}

/** The texts of one model’s job. What is wrong with a text lands in that text. */
export class TextsChoice {
  readonly #bridge: ShearBridge;
  readonly #model: string;
  readonly #undo: UndoQueue;
  sources = $state.raw<readonly TextSource[]>([]);
  /** Error of the file picker itself. */
  error = $state.raw<ErrorData | null>(null);

  constructor(bridge: ShearBridge, model: string, undo: UndoQueue) {
    this.#bridge = bridge;
    this.#model = model;
    this.#undo = undo;
  }

  /** Sources that go into the recipe. */
  get used(): readonly TextSource[] {
    return this.sources.filter((source) => source.isUsed);
  }

  get tokens(): number {
    return this.used.reduce((sum, source) => sum + source.tokens, 0);
  }

  get isBusy(): boolean {
    return this.sources.some((source) => source.busy);
  }

  /** Sources that count but cannot be read. */
  get unusable(): readonly TextSource[] {
    return this.sources.filter((source) => source.weight > 0 && source.hasError);
  }

  /** Whether the wizard may go on: something to learn from, and nothing that counts but cannot be read. */
  get isReady(): boolean {
    return !this.isBusy && this.used.length > 0 && this.unusable.length === 0;
  }

  /** What training takes of a text, going by the weights and a budget of tokens; the mix moves as texts turn out harder. */
  drawn(source: TextSource, budgetTokens: number): Drawn | null {
    if (!source.isUsed || source.tokens === 0 || budgetTokens === 0) return null;
    const share = source.weight / this.used.reduce((sum, { weight }) => sum + weight, 0);
    const tokens = Math.round(share * budgetTokens);
    return { share, tokens, passes: tokens / source.tokens };
  }

  /** Says what a table's rows hold; it is read again once that is complete. */
  async setColumnKind(source: TextSource, kind: ColumnKind): Promise<void> {
    const before = source.form.choice;
    source.form.kind = kind;
    await this.#columnsChanged(source, before);
  }

  /** Names the column of one part; an empty name takes it back. */
  async setColumn(source: TextSource, part: ColumnPart, column: string): Promise<void> {
    const before = source.form.choice;
    source.form.choose(part, column);
    await this.#columnsChanged(source, before);
  }

  async #columnsChanged(source: TextSource, before: Columns | null): Promise<void> {
    const now = source.form.choice;
    if (JSON.stringify(now) !== JSON.stringify(before)) await this.#preview(source);
  }

  has(path: string): boolean {
    return this.sources.some((source) => source.path === path);
  }

  /** Adds files that are not there yet and reads a preview of each. Returns how many were new. */
  async add(files: readonly { readonly path: string; readonly name?: string }[]): Promise<number> {
    const fresh: TextSource[] = [];
    for (const file of files) {
      if (this.has(file.path) || fresh.some((source) => source.path === file.path)) continue;
      const taken = [...this.sources, ...fresh].map((source) => source.name);
      fresh.push(new TextSource(file.path, uniqueName(file.name ?? nameOf(file.path), taken)));
    }
    this.sources = [...this.sources, ...fresh];
    await Promise.all(fresh.map((source) => this.#preview(source)));
    return fresh.length;
  }

  async pick(): Promise<void> {
    this.error = null;
    try {
      const paths = await ask(this.#bridge, 'dialogs.pickTexts', {});
      await this.add(paths.map((path) => ({ path })));
    } catch (error) {
      this.error = errorData(error);
    }
  }

  /** Takes a source away; it can be brought back where it was for a few seconds. */
  remove(source: TextSource, message: string): void {
    const index = this.sources.indexOf(source);
    if (index < 0) return;
    this.drop(source);
    this.#undo.offer(
      message,
      () => {
        this.sources = [...this.sources.slice(0, index), source, ...this.sources.slice(index)];
      },
      () => undefined,
    );
  }

  /** Takes a source away without a word, as a cleared checkbox does. */
  drop(source: TextSource): void {
    this.sources = this.sources.filter((other) => other !== source);
  }

  /** Puts a starter text in or takes it out. */
  async toggleStarter(starter: StarterText): Promise<void> {
    const present = this.sources.find((source) => source.path === starter.path);
    if (present !== undefined) this.drop(present);
    else await this.add([starter]);
  }

  /** Reads a text; of several that are under way for one, the last counts. */
  async #preview(source: TextSource): Promise<void> {
    const { choice } = source.form;
    const isLatest = (): boolean => source.form.choice === choice || JSON.stringify(source.form.choice) === JSON.stringify(choice);
    source.busy = true;
    try {
      const preview = await ask(this.#bridge, 'texts.preview', { path: source.path, model: this.#model, ...(choice === null ? {} : { columns: choice }) });
      if (!isLatest()) return;
      source.error = null;
      source.preview = preview;
      source.stage = preview.stage;
      if (preview.columns.length > 0) source.columns = preview.columns;
    } catch (error) {
      if (isLatest()) source.error = errorData(error);
    } finally {
      if (isLatest()) source.busy = false;
    }
  }
}
