/** How small the model shall become, with the exact outcome as the engine computes it. */
import type { ShearBridge } from '../../preload/contract/channels';
import type { ExportTarget, Mode } from '../../preload/contract/recipe';
import type { OpensIn, SizeForecast } from '../../preload/contract/run';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { LatestOnly } from './latest';
import { DEFAULT_EXPORTS } from './recipe';

/** Least percentage that can be removed. */
export const MIN_PERCENT = 5;
/** Largest percentage that can be removed. */
export const MAX_PERCENT = 80;
/** Above this the model usually loses its language; the page says so. */
const RISKY_PERCENT = 50;
/** Sizes offered with a name. */
export const PRESETS = [
  { name: 'light', percent: 10 },
  { name: 'balanced', percent: 20 },
  { name: 'strong', percent: 40 },
] as const;

const PAUSE_MS = 150;

/** The size of one model’s job; every change asks for a new forecast. Refusals land in `error`. */
export class SizeChoice {
  readonly #bridge: ShearBridge;
  readonly #model: string;
  readonly #latest = new LatestOnly(PAUSE_MS);
  #targets = DEFAULT_EXPORTS;
  percent = $state(20);
  mode = $state<Mode>('everywhere');
  forecast = $state.raw<SizeForecast | null>(null);
  /** Programs that open at least one of the files to be written. */
  opensIn = $state.raw<readonly OpensIn[]>([]);
  error = $state.raw<ErrorData | null>(null);
  busy = $state(false);

  constructor(bridge: ShearBridge, model: string) {
    this.#bridge = bridge;
    this.#model = model;
  }

  get ratio(): number {
    return this.percent / 100;
  }

  get isRisky(): boolean {
    return this.percent > RISKY_PERCENT;
  }

  get isReady(): boolean {
    return this.forecast !== null && this.error === null;
  }

  /** Takes a percentage from the slider, the field or a preset; anything out of range is brought into it. */
  setPercent(percent: number): void {
    if (!Number.isFinite(percent)) return;
    this.percent = Math.min(MAX_PERCENT, Math.max(MIN_PERCENT, Math.round(percent)));
    this.refresh();
  }

  setMode(mode: Mode): void {
    this.mode = mode;
    this.refresh();
  }

  /** The file types to be written; the forecast shows the bytes of the first one. */
  setTargets(targets: readonly ExportTarget[]): void {
    this.#targets = targets;
    this.refresh();
  }

  refresh(): void {
    this.busy = true;
    const { ratio, mode } = this;
    const targets = this.#targets;
    this.#latest.schedule(
      () =>
        Promise.all(
          targets.map((target) => ask(this.#bridge, 'plan.size', { model: this.#model, size: { kind: 'ratio', ratio }, mode, target })),
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

/** One line for each program: the file that it opens if there is one, else why not. */
function openAny(forecasts: readonly SizeForecast[]): readonly OpensIn[] {
  const best = new Map<string, OpensIn>();
  for (const program of forecasts.flatMap((forecast) => forecast.opensIn)) {
    if (best.get(program.program)?.opens !== true) best.set(program.program, program);
  }
  return [...best.values()];
}
