/** The model that was chosen and what the engine says about it. */
import type { ShearBridge } from '../../preload/contract/channels';
import type { Inspection } from '../../preload/contract/model';
import { ask, errorData, type ErrorData } from './bridge.svelte';
import { nameOf } from './paths';

/** Parameters of one layer, split into its two halves. */
export interface LayerParts {
  readonly layer: number;
  readonly attention: number;
  readonly mlp: number;
}

/** A model at a path; `inspect` fills in the rest or sets `error`. */
export class ModelChoice {
  readonly #bridge: ShearBridge;
  readonly path: string;
  inspection = $state.raw<Inspection | null>(null);
  error = $state.raw<ErrorData | null>(null);
  busy = $state(false);

  constructor(bridge: ShearBridge, path: string) {
    this.#bridge = bridge;
    this.path = path;
  }

  get name(): string {
    return this.inspection?.name ?? nameOf(this.path);
  }

  /** Whether the wizard may go on with this model. */
  get isUsable(): boolean {
    return this.inspection !== null && !this.inspection.problems.some((problem) => problem.severity === 'error');
  }

  /** Parameters of the linear matrices per layer. */
  get layerParts(): readonly LayerParts[] {
    return (this.inspection?.perLayer ?? []).map(({ attentionParameters, mlpParameters }, layer) => ({
      layer, attention: attentionParameters, mlp: mlpParameters,
    }));
  }

  async inspect(): Promise<void> {
    this.busy = true;
    this.error = null;
    try {
      this.inspection = await ask(this.#bridge, 'models.inspect', { path: this.path });
    } catch (error) {
      this.error = errorData(error);
    } finally {
      this.busy = false;
    }
  }
}
