/**
 * Loss and LoRA gradients of a batch: forward block by block with saved activations, the head in chunks of rows,
 * then backward block by block. Memory for activations is kept between calls of the same shape.
 */
import { factorsOf, type LoraAdapter } from '../execution/adapter';
import { ATTENTION_GATE, loraName, MLP_GATE } from '../execution/block-graph';
import type { BatchShape, Executor, LayerGates } from '../execution/executor';
import type { LoadedModel } from '../execution/loaded-model';
import { evaluateDim, bindDims } from '../graph/dims';
import type { LinearRole } from '../model/config';
import { float32, float32Data, type RuntimeTensor } from '../runtime/session';
import { ShapeError } from '../support/errors';
import { breathe } from '../support/progress';

export interface FactorGradients {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

export interface BatchGradients {
  /** Mean negative log-likelihood of the predicted tokens, in nats. */
  readonly loss: number;
  /** Mean loss of each sequence of the batch. */
  readonly sequenceLosses: readonly number[];
  /** By layer and role, of the factors' shapes. Overwritten by the next call. */
  readonly layers: readonly ReadonlyMap<LinearRole, FactorGradients>[];
  /** Gradient of the loss with respect to each gate, where gates were given. */
  readonly gates: readonly LayerGates[];
}

export class LoraGradients {
  private readonly buffers = new Map<string, RuntimeTensor>();

  constructor(
    private readonly executor: Executor,
    private readonly model: LoadedModel,
    private readonly adapter: LoraAdapter,
  ) {}

  /**
   * `sequences` are rows of token ids, all of one length T; tokens 2..T of each are predicted from those before.
   * `gates` holds the gates of each layer, or null to leave them out.
   */
  async compute(
    sequences: readonly ArrayLike<number>[],
    options: { readonly gates?: readonly LayerGates[]; readonly signal?: AbortSignal } = {},
  ): Promise<BatchGradients> {
    const { executor, model } = this;
    const { ids, labels, weights, shape } = layOut(sequences);
    const depth = model.layers.length;
    const block = await executor.trainingBlock(model, this.adapter, options.gates !== undefined);
    const { graphs } = block;

    const inputs: Float32Array[] = [executor.embed(model, ids)];
    for (let layer = 0; layer < depth; layer++) {
      const feeds = executor.blockFeeds(model, layer, inputs[layer] ?? new Float32Array(0), shape, this.optionsOf(layer, options.gates));
      const into = this.outputMemory(`${layer}`, block.forward.graph, feeds);
      const results = await block.forward.run(feeds, into);
      inputs.push(float32Data(results.get(graphs.outputName), graphs.outputName));
      await breathe(options.signal);
    }

    const { losses, gradient } = await executor.lossGradient(model, inputs[depth] ?? new Float32Array(0), labels, weights, options.signal);

    const layers: Map<LinearRole, FactorGradients>[] = [];
    const gates: LayerGates[] = [];
    let seed = gradient;
    for (let layer = depth - 1; layer >= 0; layer--) {
      const hidden = inputs[layer] ?? new Float32Array(0);
      const feeds = executor.blockFeeds(model, layer, hidden, shape, this.optionsOf(layer, options.gates));
      for (const name of graphs.savedNames) {
        const saved = this.buffers.get(`${layer} ${name}`);
        if (saved !== undefined) feeds.set(name, saved);
      }
      feeds.set('seed', float32(seed, [shape.batch * shape.length, model.config.hidden]));
      const results = await block.backward.run(feeds, this.outputMemory(`d${layer}`, block.backward.graph, feeds, graphs.gradientNames.get('x')));
      const gradientOf = (name: string): Float32Array => float32Data(results.get(graphs.gradientNames.get(name) ?? ''), name);
      layers[layer] = new Map(
        this.adapter.targets.map((role) => [role, { a: gradientOf(loraName(role, 'a')), b: gradientOf(loraName(role, 'b')) }]),
      );
      if (options.gates !== undefined) gates[layer] = { attention: gradientOf(ATTENTION_GATE), mlp: gradientOf(MLP_GATE) };
      seed = gradientOf('x');
      await breathe(options.signal);
    }
    return { ...meanLosses(losses, weights, shape), layers, gates };
  }

  private optionsOf(layer: number, gates: readonly LayerGates[] | undefined): { adapter: LoraAdapter; gates?: LayerGates } {
    const own = gates?.[layer];
    return own === undefined ? { adapter: this.adapter } : { adapter: this.adapter, gates: own };
  }

  /** Memory for a graph's outputs, kept under `place`; `shared` names one that all places may use in turn. */
  private outputMemory(
    place: string,
    graph: { readonly inputs: readonly { readonly name: string; readonly shape: readonly (number | string)[] }[]; readonly outputs: readonly { readonly name: string; readonly shape: readonly (number | string)[] }[] },
    feeds: ReadonlyMap<string, RuntimeTensor>,
    shared?: string,
  ): Map<string, RuntimeTensor> {
    const bindings = bindDims(
      graph.inputs.flatMap(({ name, shape }) => {
        const feed = feeds.get(name);
        return feed === undefined ? [] : [{ name, declared: shape, actual: feed.shape }];
      }),
    );
    return new Map(
      graph.outputs.map(({ name, shape }) => {
        const sizes = shape.map((dim) => evaluateDim(dim, bindings));
        const count = sizes.reduce((product, size) => product * size, 1);
        // The gradient passed down alternates between two buffers: one is read while the other is written.
        const key = name === shared ? `shared ${Number(place.slice(1)) % 2}` : `${place} ${name}`;
        const known = this.buffers.get(key);
        const memory = known?.type === 'float32' && known.data.length === count ? known.data : new Float32Array(count);
        const tensor = float32(memory, sizes);
        this.buffers.set(key, tensor);
        return [name, tensor];
      }),
    );
  }
}

/** Adapter parameters and their gradients in one fixed order, as an optimiser wants them. */
export function flattenFactors(adapter: LoraAdapter): Float32Array[] {
  return adapter.layers.flatMap((_, layer) =>
    adapter.targets.flatMap((role) => {
      const { a, b } = factorsOf(adapter, layer, role);
      return [a.data, b.data];
    }),
  );
}

export function flattenGradients(adapter: LoraAdapter, gradients: BatchGradients): Float32Array[] {
  return gradients.layers.flatMap((layer) => adapter.targets.flatMap((role) => {
    const found = layer.get(role);
    return found === undefined ? [] : [found.a, found.b];
  }));
}

function layOut(sequences: readonly ArrayLike<number>[]): { ids: Int32Array; labels: Int32Array; weights: Float32Array; shape: BatchShape } {
  const length = sequences[0]?.length ?? 0;
  if (length < 2 || sequences.some((ids) => ids.length !== length)) {
    throw new ShapeError('A training batch needs sequences of one length, at least two tokens each.');
  }
  const count = sequences.length * length;
  const ids = new Int32Array(count);
  const labels = new Int32Array(count);
  const weights = new Float32Array(count);
  sequences.forEach((sequence, row) => {
    for (let at = 0; at < length; at++) {
      ids[row * length + at] = sequence[at] ?? 0;
      if (at + 1 === length) continue;
      labels[row * length + at] = sequence[at + 1] ?? 0;
      weights[row * length + at] = 1 / (sequences.length * (length - 1));
    }
  });
  return { ids, labels, weights, shape: { batch: sequences.length, length } };
}

function meanLosses(losses: Float32Array, weights: Float32Array, { batch, length }: BatchShape): { loss: number; sequenceLosses: number[] } {
  const sequenceLosses = Array.from({ length: batch }, (_, row) => {
    let sum = 0;
    for (let at = row * length; at < (row + 1) * length; at++) sum += (losses[at] ?? 0) * (weights[at] ?? 0);
    return sum * batch;
  });
  return { loss: sequenceLosses.reduce((sum, loss) => sum + loss, 0) / batch, sequenceLosses };
}
