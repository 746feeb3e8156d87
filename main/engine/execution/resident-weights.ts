/**
 * Copies of weights that stay on the device, made when first asked for. All sessions of a device can read them, so
 * that one session of each kind still serves all layers. A copy goes when the weights it was made from are gone; of a
 * model that is read layer by layer, only the last few layers are there.
 */
import type { Graph } from '../graph/graph';
import { withHalfWeights } from '../graph/passes/half-weights';
import { LINEAR_ROLES, type GlobalRole, type LayerRole } from '../model/config';
import type { ResidentTensor } from '../runtime/resident-tensor';
import type { SessionOptions } from '../runtime/session';
import { Uploader, type ResidentType } from '../runtime/uploader';
import { InternalError } from '../support/errors';
import type { Tensor32 } from '../tensors/handle';
import { globalTensor, layerOf, layerTensor, readLayer, type ExecutableModel, type StreamedModel } from './loaded-model';
import type { LayerFeeds, WeightFeeds } from './weight-feeds';

/** Graph inputs that are matrices: what float16 halves. Norms and biases are too small to matter. */
const MATRICES: ReadonlySet<string> = new Set<string>([...LINEAR_ROLES, 'head']);

/** Layers of streamed models that are on the device at a time: their weights hold until the next is read, for each user. */
const STREAMED_LAYERS = 4;

export class ResidentWeights implements WeightFeeds {
  readonly isResident = true;
  private readonly uploader: Uploader;
  /** By the array that they were made from: models that share weights share copies. */
  private readonly copies = new WeakMap<Float32Array, ResidentTensor>();
  /** All copies of arrays; each is given up with its array. */
  private readonly owned = new Set<ResidentTensor>();
  private readonly abandoned = new FinalizationRegistry((copy: ResidentTensor) => {
    this.giveUp(copy);
  });
  /** Copies of streamed layers, the newest last. */
  private readonly streamed: ResidentTensor[][] = [];

  constructor(
    options: SessionOptions,
    private readonly type: ResidentType,
  ) {
    this.uploader = new Uploader(options);
  }

  adapt(graph: Graph): Graph {
    return this.type === 'float16' ? withHalfWeights(graph, MATRICES) : graph;
  }

  async layer(model: ExecutableModel, index: number): Promise<LayerFeeds> {
    if (!('layers' in model)) return this.streamedLayer(model, index);
    const layer = layerOf(model, index);
    const tensors = new Map<LayerRole, ResidentTensor>();
    for (const role of layer.tensors.keys()) tensors.set(role, await this.fromMemory(layerTensor(layer, role)));
    return { shape: layer.shape, tensors };
  }

  global(model: ExecutableModel, role: GlobalRole): Promise<ResidentTensor> {
    return this.fromMemory(globalTensor(model, role));
  }

  changed(model: ExecutableModel, index: number): void {
    if (!('layers' in model)) return;
    for (const { data } of layerOf(model, index).tensors.values()) {
      const copy = this.copies.get(data);
      if (copy === undefined) continue;
      this.copies.delete(data);
      this.abandoned.unregister(copy);
      this.giveUp(copy);
    }
  }

  async dispose(): Promise<void> {
    for (const copy of [...this.owned, ...this.streamed.flat()]) this.giveUp(copy);
    this.streamed.length = 0;
    await this.uploader.dispose();
  }

  private async streamedLayer(model: StreamedModel, index: number): Promise<LayerFeeds> {
    const copies: ResidentTensor[] = [];
    this.streamed.push(copies);
    for (const old of this.streamed.splice(0, this.streamed.length - STREAMED_LAYERS)) old.forEach((copy) => this.giveUp(copy));
    const { shape, tensors } = await readLayer(model, index);
    const feeds = new Map<LayerRole, ResidentTensor>();
    for (const [role, tensor] of tensors) {
      const copy = await this.upload(tensor, async () => layerTensor(await readLayer(model, index), role).data);
      copies.push(copy);
      feeds.set(role, copy);
    }
    return { shape, tensors: feeds };
  }

  private async fromMemory(tensor: Tensor32): Promise<ResidentTensor> {
    const known = this.copies.get(tensor.data);
    if (known !== undefined) return known;
    // A copy must not hold the array that it was made from, which would then never go.
    const array = new WeakRef(tensor.data);
    const made = await this.upload(tensor, () => {
      const data = array.deref();
      if (data === undefined) return Promise.reject(new InternalError('Weights on the device were used after the model was given up.'));
      return Promise.resolve(data);
    });
    this.copies.set(tensor.data, made);
    this.owned.add(made);
    this.abandoned.register(tensor.data, made, made);
    return made;
  }

  private upload({ data, shape }: Tensor32, source: () => Promise<Float32Array>): Promise<ResidentTensor> {
    return this.uploader.upload(data, shape, shape.length === 2 ? this.type : 'float32', source);
  }

  private giveUp(copy: ResidentTensor): void {
    copy.dispose();
    this.owned.delete(copy);
  }
}
