/**
 * Frozen weights in 8 bits, for gradients that flow back through them: each column by its largest number, made when
 * first asked for and kept, less than a quarter of the weights' own memory.
 */
import type { Executor } from '../execution/executor';
import { readLayer, type ExecutableModel } from '../execution/loaded-model';
import { int8Names } from '../graph/passes/int8-products';
import { LINEAR_ROLES, type LinearRole } from '../model/config';
import type { Feed, RuntimeTensor } from '../runtime/session';

/**
 * The weights through which 8-bit gradients flow: all but down, whose gradients are those of the residual stream, with the
 * few channels of huge numbers that make rounding coarse. Without it and the last layers LoRA's gradients differ a quarter
 * less from exact ones (SmolLM2-135M, docs/results.md).
 */
const ROUNDED_ROLES: readonly LinearRole[] = LINEAR_ROLES.filter((role) => role !== 'down');
/** The last layers stay exact: what is rounded there goes through all others. */
const EXACT_LAYERS = 2;

/** Names of a layer's weights in a model of `depth` layers through which 8-bit gradients flow. */
export function roundedIn(layer: number, depth: number): ReadonlySet<string> {
  return new Set(layer < depth - EXACT_LAYERS ? ROUNDED_ROLES : []);
}

export class Int8Weights {
  private readonly layers = new Map<number, ReadonlyMap<string, RuntimeTensor>>();

  constructor(
    private readonly executor: Executor,
    private readonly model: ExecutableModel,
  ) {}

  /** Adds a layer's weights to the feeds of its backward graph. */
  async addTo(feeds: Map<string, Feed>, layer: number): Promise<void> {
    for (const [name, tensor] of await this.layer(layer)) feeds.set(name, tensor);
  }

  private async layer(index: number): Promise<ReadonlyMap<string, RuntimeTensor>> {
    const known = this.layers.get(index);
    if (known !== undefined) return known;
    const made = new Map<string, RuntimeTensor>();
    const rounded = roundedIn(index, this.model.config.layers.length);
    if (rounded.size === 0) return made;
    const { tensors } = await readLayer(this.model, index);
    for (const role of ROUNDED_ROLES) {
      const weight = tensors.get(role);
      if (weight === undefined) continue;
      const names = int8Names(role);
      const { values, scales } = await this.executor.roundTo8Bits(weight);
      made.set(names.values, values).set(names.scales, scales);
    }
    this.layers.set(index, made);
    return made;
  }
}
