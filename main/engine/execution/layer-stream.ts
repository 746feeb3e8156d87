/**
 * The layers of a model read from its file one after the other, in memory for two: while one is computed with, the next
 * one in the direction of the last reads is on its way. Serves one user at a time.
 */
import type { LayerRole, ModelConfig } from '../model/config';
import { layerWeightShape } from '../model/match-tensors';
import { layerRoles, type ModelView } from '../model/view';
import { InternalError } from '../support/errors';
import type { Tensor32 } from '../tensors/handle';
import { elementCount } from '../tensors/shape';
import type { LayerSource, LoadedLayer } from './loaded-model';

/** Memory for one layer, and what is in it or on its way there. */
interface Slot {
  index: number;
  layer: Promise<LoadedLayer>;
  /** By role, as large as the largest layer needs; kept from one layer to the next. */
  readonly memory: Map<LayerRole, Float32Array>;
}

export class LayerStream implements LayerSource {
  /** The one used last comes first. At most two. */
  private slots: Slot[] = [];
  private previous = -1;
  /** Where the next layer is expected: 1 above, -1 below. */
  private direction = 1;

  constructor(private readonly view: ModelView) {}

  /** One layer; valid until the next call. Throws InternalError if there is none, and what reading throws. */
  async read(index: number): Promise<LoadedLayer> {
    this.direction = this.directionFrom(index);
    this.previous = index;
    const slot = this.slotOf(index);
    this.slots = [slot, ...this.slots.filter((other) => other !== slot)];
    const layer = await slot.layer;
    const next = index + this.direction;
    if (this.view.config.layers[next] !== undefined) this.slotOf(next);
    return layer;
  }

  /** A backward pass goes down from the last layer, which the forward pass read just before; everything else goes up. */
  private directionFrom(index: number): number {
    if (index === 0) return 1;
    const isTurn = index === this.previous && index === this.view.config.layers.length - 1;
    if (isTurn || index === this.previous - 1) return -1;
    return index === this.previous ? this.direction : 1;
  }

  /** The slot that holds a layer or will hold it; the memory of the one used less lately is used again. */
  private slotOf(index: number): Slot {
    const known = this.slots.find((slot) => slot.index === index);
    if (known !== undefined) return known;
    const old = this.slots.length < 2 ? undefined : this.slots.pop();
    const memory = old?.memory ?? new Map<LayerRole, Float32Array>();
    const slot: Slot = { index, memory, layer: this.load(index, memory, old?.layer) };
    // A layer that was read ahead and failed is told when it is asked for, and then not kept.
    slot.layer.catch(() => (this.slots = this.slots.filter((other) => other !== slot)));
    this.slots.push(slot);
    return slot;
  }

  private async load(index: number, memory: Map<LayerRole, Float32Array>, before: Promise<LoadedLayer> | undefined): Promise<LoadedLayer> {
    // What was read ahead in vain may still be on its way into this memory.
    await before?.catch(() => undefined);
    const { config } = this.view;
    const shape = config.layers[index];
    if (shape === undefined) throw new InternalError(`The model has no layer ${index}.`);
    const roles = layerRoles(config);
    const read = async (role: LayerRole): Promise<[LayerRole, Tensor32]> => {
      const space = memory.get(role) ?? new Float32Array(mostElements(config, role));
      memory.set(role, space);
      const { shape: sizes, data } = await this.view.readLayer(index, role, space.subarray(0, elementCount(layerWeightShape(config, index, role))));
      return [role, { shape: sizes, data }];
    };
    // All at once, so that the reads go on by themselves while the thread computes; and all to their ends, so that none
    // of them writes into this memory later.
    const tensors = new Map<LayerRole, Tensor32>();
    for (const result of await Promise.allSettled(roles.map(read))) {
      if (result.status === 'rejected') throw result.reason;
      tensors.set(...result.value);
    }
    return { shape, tensors };
  }
}

function mostElements(config: ModelConfig, role: LayerRole): number {
  return Math.max(...config.layers.map((_, layer) => elementCount(layerWeightShape(config, layer, role))));
}
