/** How small the model shall become, with the exact outcome as the engine computes it. */
import type { ShearBridge } from '../../preload/contract/channels';
import type { ExportTarget, Mode } from '../../preload/contract/recipe';
import type { SizeForecast } from '../../preload/contract/run';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { LatestOnly } from './latest';

export const MIN_PERCENT = 5;
export const MAX_PERCENT = 80;
/** Above this the model usually loses its language; the page says so. */
export const RISKY_PERCENT = 50;
export const PRESETS = [
  { name: 'light', percent: 10 },
  { name: 'balanced', percent: 20 },
  { name: 'strong', percent: 40 },
] as const;

const PAUSE_MS = 150;

export class SizeChoice {
  readonly #bridge: ShearBridge;
  readonly #model: string;
  readonly #latest = new LatestOnly(PAUSE_MS);
  #target: ExportTarget = { format: 'safetensors', dtype: 'F16' };
  percent = $state(20);
  mode = $state<Mode>('everywhere');
  forecast = $state.raw<SizeForecast | null>(null);
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

  /** The export target whose bytes the forecast shows. */
  setTarget(target: ExportTarget): void {
    if (target.format === this.#target.format && target.dtype === this.#target.dtype) return;
    this.#target = target;
    this.refresh();
  }

  refresh(): void {
    this.busy = true;
    const request = {
      model: this.#model,
      size: { kind: 'ratio', ratio: this.ratio },
      mode: this.mode,
      target: this.#target,
    } as const;
    this.#latest.schedule(
      () => ask(this.#bridge, 'plan.size', request),
      (forecast) => {
        this.forecast = forecast;
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
