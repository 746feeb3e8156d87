/**
 * Loss and LoRA gradients of a batch: forward block by block, the head in chunks of rows, then backward block by
 * block. Activations are saved or computed again. Memory is kept between calls of the same shape.
 */
import { factorsOf, type LoraAdapter } from '../execution/adapter';
import { ATTENTION_GATE, loraName, MLP_GATE } from '../execution/block-graph';
import type { BatchShape, BlockOptions, Executor, LayerGates, TaughtRows, TrainingBlock } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';
import { evaluateDim, bindDims } from '../graph/dims';
import type { LinearRole } from '../model/config';
import type { ResidentTensor } from '../runtime/resident-tensor';
import { float32, float32Data, type Feed, type RuntimeTensor, type Session } from '../runtime/session';
import { breathe } from '../support/progress';
import type { DropoutSource } from './dropout';
import { Int8Weights, roundedIn } from './int8-weights';
import { layOutBatch, meanLosses } from './batch-layout';

export interface FactorGradients {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export interface BatchGradients {
  /** Mean negative log-likelihood of the predicted tokens, in nats. */
  readonly loss: number;
  /** Tokens predicted. */
  readonly predicted: number;
  /** By layer and role, of the factors' shapes. Overwritten by the next call. */
  readonly layers: readonly ReadonlyMap<LinearRole, FactorGradients>[];
  /** Gradient of the loss with respect to each gate, where gates were given. */
  readonly gates: readonly LayerGates[];
}

export interface GradientOptions {
  /** Gates of each layer. */
  readonly gates?: readonly LayerGates[];
  /** Token that ends a document: documents packed into one sequence then neither see nor predict one another. */
  readonly separatorId?: number;
  readonly signal?: AbortSignal;
}

/** How gradients are computed: but for dropout, all ways give the same apart from rounding. */
export interface GradientWay {
  /** Saves nothing but each block's input: far less memory for about a third more time. */
  readonly recompute?: boolean;
  /** Lets gradients flow back through the weights in 8 bits; the weights must then stay as they are. */
  readonly int8?: boolean;
  /** Where the masks of LoRA's dropout come from; without it nothing is dropped. */
  readonly dropout?: DropoutSource;
  /** A model whose expectations take a share of the labels' place. */
  readonly teacher?: Teacher;
}

/** A model of the same vocabulary, width and output head from which another one learns, and the share of what it is taught. */
export interface Teacher {
  readonly model: ExecutableModel;
  readonly share: number;
}

export class LoraGradients {
  private readonly buffers = new Map<string, RuntimeTensor>();
  /** What lies under the buffers: as large as the largest batch needed, so that changing shapes allocate nothing. */
  private readonly memory = new Map<string, Float32Array>();
  private readonly int8: Int8Weights | null;

  constructor(
    private readonly executor: Executor,
    private readonly model: ExecutableModel,
    private readonly adapter: LoraAdapter,
    private readonly way: GradientWay = {},
  ) {
    this.int8 = way.int8 === true ? new Int8Weights(executor, model) : null;
  }

  /**
   * `sequences` are rows of token ids, at least two each; tokens 2.. of each are predicted from those before. Shorter
   * rows are filled up at their ends, where nothing is predicted.
   */
  async compute(sequences: readonly ArrayLike<number>[], options: GradientOptions = {}): Promise<BatchGradients> {
    const onDevice = new Map<number, ReadonlyMap<string, ResidentTensor>>();
    try {
      return await this.computeWith(onDevice, sequences, options);
    } finally {
      for (const layer of onDevice.keys()) giveUp(onDevice, layer);
    }
  }

  /** `onDevice` takes the saved values, by layer, that stay on a device until the layer's backward pass. */
  private async computeWith(
    onDevice: Map<number, ReadonlyMap<string, ResidentTensor>>,
    sequences: readonly ArrayLike<number>[],
    options: GradientOptions,
  ): Promise<BatchGradients> {
    const { executor, model } = this;
    const { ids, labels, weights, shape, predicted, documents } = layOutBatch(sequences, options.separatorId);
    const depth = model.config.layers.length;
    const masks = this.way.dropout?.draw(model.config, ids.length);
    const optionsOf = (layer: number): BlockOptions & { adapter: LoraAdapter } => {
      const [gates, dropout] = [options.gates?.[layer], masks?.[layer]];
      return { adapter: this.adapter, ...(gates && { gates }), ...(dropout && { dropout }), ...(documents && { documents }) };
    };
    const { recompute = false } = this.way;
    const blockOf = (layer: number): Promise<TrainingBlock> =>
      executor.trainingBlock(model, shape, optionsOf(layer), { recompute, ...(this.int8 && { int8Weights: roundedIn(layer, depth) }) });

    const inputs: Float32Array[] = [executor.embed(model, ids, shape)];
    for (let layer = 0; layer < depth; layer++) {
      const feeds = await executor.blockFeeds(model, layer, inputs[layer] ?? new Float32Array(0), shape, optionsOf(layer));
      const block = await blockOf(layer);
      const results = await block.forward.runKeeping(feeds, this.outputMemory(`${layer}`, block.forward, feeds));
      onDevice.set(layer, results.kept);
      const [output] = block.forward.graph.outputs;
      inputs.push(float32Data(results.tensors.get(output?.name ?? ''), 'output'));
      await breathe(options.signal);
    }

    const teacher = await this.taught(ids, shape, documents, options.signal);
    const { losses, gradient } = await executor.lossGradient(model, inputs[depth] ?? new Float32Array(0), labels, weights, { signal: options.signal, teacher });

    const layers: Map<LinearRole, FactorGradients>[] = [];
    const gates: LayerGates[] = [];
    let seed = gradient;
    for (let layer = depth - 1; layer >= 0; layer--) {
      const hidden = inputs[layer] ?? new Float32Array(0);
      const feeds = await executor.blockFeeds(model, layer, hidden, shape, optionsOf(layer));
      const block = await blockOf(layer);
      const { graphs } = block;
      for (const name of recompute ? [] : graphs.savedNames) {
        const saved = onDevice.get(layer)?.get(name) ?? this.buffers.get(`${layer} ${name}`);
        if (saved !== undefined) feeds.set(name, saved);
      }
      await this.int8?.addTo(feeds, layer);
      feeds.set('seed', float32(seed, [shape.batch * shape.length, model.config.hidden]));
      const into = this.outputMemory(`d${layer}`, block.backward, feeds, graphs.gradientNames.get('x'));
      const results = await block.backward.run(feeds, into);
      giveUp(onDevice, layer);
      const gradientOf = (name: string): Float32Array => float32Data(results.get(graphs.gradientNames.get(name) ?? ''), name);
      layers[layer] = new Map(
        this.adapter.targets.map((role) => [role, { a: gradientOf(loraName(role, 'a')), b: gradientOf(loraName(role, 'b')) }]),
      );
      if (options.gates !== undefined) gates[layer] = { attention: gradientOf(ATTENTION_GATE), mlp: gradientOf(MLP_GATE) };
      seed = gradientOf('x');
      await breathe(options.signal);
    }
    return { loss: meanLosses(losses, weights), predicted, layers, gates };
  }

  /** What the teacher's blocks make of the same tokens. */
  private async taught(ids: Int32Array, shape: BatchShape, documents: RuntimeTensor | null | undefined, signal: AbortSignal | undefined): Promise<TaughtRows | undefined> {
    const { teacher } = this.way;
    if (teacher === undefined) return undefined;
    const { model, share } = teacher;
    let hidden: Float32Array = this.executor.embed(model, ids, shape);
    for (let layer = 0; layer < model.config.layers.length; layer++) {
      hidden = await this.executor.forwardBlock(model, layer, hidden, shape, documents ? { documents } : {});
      await breathe(signal);
    }
    return { hidden, share };
  }

  /**
   * Memory for the outputs of a session that do not stay on its device, kept under `place`; `shared` names one that
   * all places may use in turn.
   */
  private outputMemory(
    place: string,
    { graph, kept }: Pick<Session, 'graph' | 'kept'>,
    feeds: ReadonlyMap<string, Feed>,
    shared?: string,
  ): Map<string, RuntimeTensor> {
    const bindings = bindDims(
      graph.inputs.flatMap(({ name, shape }) => {
        const feed = feeds.get(name);
        return feed === undefined ? [] : [{ name, declared: shape, actual: feed.shape }];
      }),
    );
    return new Map(
      graph.outputs.filter(({ name }) => !kept.has(name)).map(({ name, shape }) => {
        const sizes = shape.map((dim) => evaluateDim(dim, bindings));
        const count = sizes.reduce((product, size) => product * size, 1);
        // The gradient passed down alternates between two buffers: one is read while the other is written.
        const key = name === shared ? `shared ${Number(place.slice(1)) % 2}` : `${place} ${name}`;
        const known = this.memory.get(key);
        const memory = known !== undefined && known.length >= count ? known : new Float32Array(count);
        this.memory.set(key, memory);
        const tensor = float32(memory.subarray(0, count), sizes);
        this.buffers.set(key, tensor);
        return [name, tensor];
      }),
    );
  }
}

/** Gives the memory of a layer's saved values back to the device. */
function giveUp(onDevice: Map<number, ReadonlyMap<string, ResidentTensor>>, layer: number): void {
  for (const tensor of onDevice.get(layer)?.values() ?? []) tensor.dispose();
  onDevice.delete(layer);
}

/** Adapter parameters in one fixed order, as an optimiser wants them. */
export function flattenFactors(adapter: LoraAdapter): Float32Array[] {
  return adapter.layers.flatMap((_, layer) =>
    adapter.targets.flatMap((role) => {
      const { a, b } = factorsOf(adapter, layer, role);
      return [a.data, b.data];
    }),
  );
}

/** Gradients in the order of `flattenFactors`. */
export function flattenGradients(adapter: LoraAdapter, gradients: BatchGradients): Float32Array[] {
  return gradients.layers.flatMap((layer) =>
    adapter.targets.flatMap((role) => {
      const found = layer.get(role);
      return found === undefined ? [] : [found.a, found.b];
    }),
  );
}
