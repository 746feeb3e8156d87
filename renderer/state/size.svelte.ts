/** How small the model shall become, by share, file size, memory or parameters, with the exact outcome as the engine computes it. */
import type { ShearBridge } from '../../preload/contract/channels';
import type { ExportTarget, Mode, RecipeInput, Size } from '../../preload/contract/recipe';
import type { OpensIn, SizeForecast } from '../../preload/contract/run';
import { amountOf, BYTE_UNITS, COUNT_UNITS, valueOf, type Amount, type ByteUnit, type CountUnit } from './amount';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { LatestOnly } from './latest';
import { LockChoice } from './locks.svelte';
import { DEFAULT_EXPORTS, EXPORT_CHOICES, isSameTarget } from './recipe';

/** Least percentage that can be removed. */
export const MIN_PERCENT = 5;
/** Largest percentage that can be removed. */
export const MAX_PERCENT = 80;
/** Above this the model usually loses its language; the page says so. */
const RISKY_SHARE = 0.5;
/** Shares offered with a name. */
export const PRESETS = [
  { name: 'light', percent: 10 },
  { name: 'balanced', percent: 20 },
  { name: 'strong', percent: 40 },
] as const;
/** Ways to say how small, in the order in which they are offered. */
export const SIZE_KINDS = ['ratio', 'bytes', 'memory', 'parameters'] as const satisfies readonly Size['kind'][];
/** One way to say how small. */
export type SizeKind = (typeof SIZE_KINDS)[number];
/** Memory sizes offered with a button, in GB. */
export const MEMORY_CHOICES = [4, 8, 12, 16, 24] as const;
/** Bytes that a program needs beside the model: what the engine counts unless told otherwise. */
export const PROGRAM_BYTES = 500_000_000;

const PAUSE_MS = 150;
const DEFAULT_CONTEXT = 4096;
const MOST_CONTEXT = 10_000_000;

/** The size of one model’s job; every change asks for a new forecast. Refusals land in `error`. */
export class SizeChoice {
  readonly #bridge: ShearBridge;
  readonly #model: string;
  readonly #latest = new LatestOnly(PAUSE_MS);
  readonly locks = new LockChoice(() => this.refresh());
  /** The file types to be written. Sizes count the first one. */
  targets = $state.raw<readonly ExportTarget[]>(DEFAULT_EXPORTS);
  kind = $state<SizeKind>('ratio');
  percent = $state(20);
  /** The most that the first file may take. */
  file = $state.raw<Amount<ByteUnit>>({ number: 1, unit: 'GB' });
  memory = $state.raw<Amount<ByteUnit>>({ number: MEMORY_CHOICES[0], unit: 'GB' });
  parameters = $state.raw<Amount<CountUnit>>({ number: 1, unit: 'billion' });
  /** Tokens of the text that must fit into the memory beside the weights. */
  context = $state(DEFAULT_CONTEXT);
  mode = $state<Mode>('everywhere');
  forecast = $state.raw<SizeForecast | null>(null);
  /** Programs that open at least one of the files to be written. */
  opensIn = $state.raw<readonly OpensIn[]>([]);
  error = $state.raw<ErrorData | null>(null);
  busy = $state(false);
  /** Kinds that were chosen before keep what was entered. */
  readonly #entered = new Set<SizeKind>(['ratio']);

  constructor(bridge: ShearBridge, model: string) {
    this.#bridge = bridge;
    this.#model = model;
  }

  /** The wish as a recipe has it. */
  get size(): RecipeInput['size'] {
    switch (this.kind) {
      case 'ratio':
        return { kind: 'ratio', ratio: this.percent / 100 };
      case 'bytes':
        return { kind: 'bytes', bytes: valueOf(this.file, BYTE_UNITS) };
      case 'memory':
        return { kind: 'memory', bytes: valueOf(this.memory, BYTE_UNITS), context: this.context, allowance: PROGRAM_BYTES };
      case 'parameters':
        return { kind: 'parameters', parameters: valueOf(this.parameters, COUNT_UNITS) };
    }
  }

  /** The file type that sizes count. */
  get counted(): ExportTarget | undefined {
    return this.targets[0];
  }

  get isRisky(): boolean {
    return (this.kind === 'ratio' ? this.percent / 100 : (this.forecast?.removedFraction ?? 0)) > RISKY_SHARE;
  }

  /** Whether the model is as small already, so that nothing would go. */
  get isMet(): boolean {
    return this.error === null && this.forecast?.removedFraction === 0;
  }

  get isReady(): boolean {
    return this.forecast !== null && this.error === null && !this.isMet;
  }

  /** Another way to say how small; one that is new starts near what the others lead to. */
  setKind(kind: SizeKind): void {
    this.kind = kind;
    const { forecast } = this;
    if (!this.#entered.has(kind) && forecast !== null) {
      if (kind === 'bytes') this.file = amountOf(forecast.bytesAfter, BYTE_UNITS);
      if (kind === 'parameters') this.parameters = amountOf(forecast.parametersAfter, COUNT_UNITS);
      if (kind === 'memory') this.memory = { number: memoryBelow(forecast.bytesBefore), unit: 'GB' };
    }
    this.#entered.add(kind);
    this.refresh();
  }

  /** Takes a percentage from the slider, the field or a preset; anything out of range is brought into it. */
  setPercent(percent: number): void {
    if (!Number.isFinite(percent)) return;
    this.percent = Math.min(MAX_PERCENT, Math.max(MIN_PERCENT, Math.round(percent)));
    this.refresh();
  }

  setFile(amount: Amount<ByteUnit>): void {
    if (isAmount(amount)) this.file = amount;
    this.refresh();
  }

  setMemory(amount: Amount<ByteUnit>): void {
    if (isAmount(amount)) this.memory = amount;
    this.refresh();
  }

  setParameters(amount: Amount<CountUnit>): void {
    if (isAmount(amount)) this.parameters = amount;
    this.refresh();
  }

  setContext(tokens: number): void {
    if (Number.isFinite(tokens)) this.context = Math.min(MOST_CONTEXT, Math.max(1, Math.round(tokens)));
    this.refresh();
  }

  setMode(mode: Mode): void {
    this.mode = mode;
    this.refresh();
  }

  /** The file types to be written, in the order in which they are offered; the one that sizes count stays first while it is among them. */
  setTargets(targets: readonly ExportTarget[]): void {
    const { counted } = this;
    const isCounted = (target: ExportTarget): boolean => counted !== undefined && isSameTarget(target, counted);
    const offered = EXPORT_CHOICES.filter((choice) => targets.some((target) => isSameTarget(choice, target)));
    this.targets = [...offered.filter(isCounted), ...offered.filter((target) => !isCounted(target))];
    this.refresh();
  }

  /** The file type that sizes count; it is then written too. */
  setCounted(target: ExportTarget): void {
    this.targets = [target, ...this.targets.filter((other) => !isSameTarget(other, target))];
    this.refresh();
  }

  refresh(): void {
    this.busy = true;
    const { size, mode, targets } = this;
    const locks = [...this.locks.list];
    this.#latest.schedule(
      () =>
        // The first file decides the widths. The others are asked about for the programs that open them, which no size changes.
        Promise.all(
          targets.map((target, index) =>
            ask(this.#bridge, 'plan.size', { model: this.#model, size: index === 0 ? size : { kind: 'ratio', ratio: 0 }, mode, target, locks }),
          ),
        ),
      (forecasts) => {
        this.forecast = forecasts[0] ?? null;
        this.opensIn = openAny(forecasts);
        this.error = null;
        this.busy = false;
      },
      (error) => {
        this.error = errorData(error);
        this.busy = false;
      },
    );
  }
}

function isAmount({ number }: Amount<string>): boolean {
  return Number.isFinite(number) && number > 0;
}

/** The largest memory size offered that the model's file does not fit into; the smallest one for a model that fits into all. */
function memoryBelow(bytes: number): number {
  return MEMORY_CHOICES.findLast((gigabytes) => gigabytes * 1e9 < bytes) ?? MEMORY_CHOICES[0];
}

/** One line for each program: the file that it opens if there is one, else why not. */
function openAny(forecasts: readonly SizeForecast[]): readonly OpensIn[] {
  const best = new Map<string, OpensIn>();
  for (const program of forecasts.flatMap((forecast) => forecast.opensIn)) {
    if (best.get(program.program)?.opens !== true) best.set(program.program, program);
  }
  return [...best.values()];
}
