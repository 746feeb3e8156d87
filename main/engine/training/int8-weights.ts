/**
 * Frozen weights in 8 bits, for gradients that flow back through them: each column by its largest number, made when
 * first asked for and kept, a quarter of the weights' own memory.
 */
import type { Executor } from '../execution/executor';
import { readLayer, type ExecutableModel } from '../execution/loaded-model';
import { int8Names } from '../graph/passes/int8-products';
import { LINEAR_ROLES } from '../model/config';
import type { Feed, RuntimeTensor } from '../runtime/session';

/** The weights through which 8-bit gradients flow. */
export const INT8_WEIGHTS: ReadonlySet<string> = new Set(LINEAR_ROLES);

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
    const { tensors } = await readLayer(this.model, index);
    for (const role of LINEAR_ROLES) {
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
