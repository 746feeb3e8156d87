/**
 * Runs a loaded model: keeps the sessions of all block and head graphs, feeds each layer's weights to them, and
 * holds activations between layers. Sessions depend on few numbers of a model, so that pruned models reuse them.
 */
import { Session, float32, float32Data, int64, type Feed, type RuntimeTensor, type SessionOptions } from '../runtime/session';
import type { Graph } from '../graph/graph';
import type { GlobalRole, ModelConfig } from '../model/config';
import type { LoraAdapter } from './adapter';
import { queryBlock } from './attention';
import { blockForm } from './block-form';
import { ATTENTION_GATE, dropoutName, loraName, MLP_GATE, type BlockSpec, type LinearInput } from './block-graph';
import { forwardGraph, headForm, headGraphs, int8ColumnsGraph, partGraphs, trainingGraphs, type HeadGraphs, type PartGraphs, type TrainingGraphs } from './graphs';
import { changeLayer, globalTensor, headRole, type ExecutableModel, type LoadedLayer } from './loaded-model';
import { InternalError } from '../support/errors';
import type { Tensor32 } from '../tensors/handle';
import { throwIfCancelled } from '../support/progress';
import { PositionInputs } from './positions';
import { SessionShelves } from './session-shelves';
import { enterStream, FINAL_NORM, type SequencePlace } from './stream-ends';
import { openWeightFeeds, type WeightFeeds } from './weight-feeds';

/** Rows of hidden states for which logits are computed at once: bounds the memory of the head to rows x V. */
export const HEAD_ROWS = 128;

/** Multipliers of one layer's structures; 1 keeps, 0 removes. */
export interface LayerGates {
  /** [K] */
  readonly attention: Float32Array;
  /** [F] */
  readonly mlp: Float32Array;
}

/** What may be beside a model's own weights when a block runs. */
export interface BlockOptions {
  readonly adapter?: LoraAdapter;
  readonly gates?: LayerGates;
  /** Multipliers of what enters the adapter's factors, [B*T, width] each, while training. */
  readonly dropout?: ReadonlyMap<LinearInput, RuntimeTensor>;
  /** Mask [B, 1, 1, T, T] that keeps the documents of a sequence apart; without it, the causal mask. */
  readonly documents?: RuntimeTensor;
}

export interface TrainingBlock {
  readonly graphs: TrainingGraphs;
  readonly forward: Session;
  readonly backward: Session;
}

/** A batch shape: `batch` sequences of `length` tokens. */
export interface BatchShape {
  readonly batch: number;
  readonly length: number;
}

/** What a teacher's blocks give for the same rows [N, C], and its share of what is to be predicted. */
export interface TaughtRows {
  readonly hidden: Float32Array;
  readonly share: number;
}

export class Executor {
  private readonly shelves = new SessionShelves();
  private readonly heads = new Map<string, HeadGraphs>();
  private readonly positions = new PositionInputs();

  private constructor(
    private readonly options: SessionOptions,
    private readonly weights: WeightFeeds,
  ) {}

  /** An executor whose sessions all run with these options; on a device with memory of its own, weights stay there. */
  static async create(options: SessionOptions): Promise<Executor> {
    return new Executor(options, await openWeightFeeds(options));
  }

  /** As `changeLayer` of the model alone; copies of the layer on a device are made anew. */
  async changeLayer(model: ExecutableModel, layer: number, change: (layer: LoadedLayer) => void): Promise<void> {
    await changeLayer(model, layer, change);
    this.weights.changed(model, layer);
  }

  async dispose(): Promise<void> {
    await this.weights.dispose();
    await this.shelves.dispose();
  }

  /** One block: `hidden` [B*T, C] to the same shape. */
  async forwardBlock(
    model: ExecutableModel,
    layer: number,
    hidden: Float32Array,
    shape: BatchShape,
    options: BlockOptions = {},
  ): Promise<Float32Array> {
    const spec = blockSpec(model.config, options, shape.length);
    const session = await this.session(spec.length, `forward ${specKey(spec)}`, () => forwardGraph(spec));
    const feeds = await this.blockFeeds(model, layer, hidden, shape, options);
    const output = float32(new Float32Array(hidden.length), [shape.batch * shape.length, model.config.hidden]);
    const name = session.graph.outputs[0]?.name ?? '';
    await session.run(feeds, new Map([[name, output]]));
    return float32Data(output, name);
  }

  /** One part of a block: `given` holds what the part before gave, rows of tokens. Results are in the order of the part's outputs. */
  async blockPart(
    model: ExecutableModel,
    layer: number,
    part: keyof PartGraphs,
    hidden: Float32Array,
    shape: BatchShape,
    given: readonly Float32Array[] = [],
  ): Promise<Float32Array[]> {
    const spec = blockSpec(model.config, {}, shape.length);
    const session = await this.session(spec.length, `part ${part} ${specKey(spec)}`, () => partGraphs(spec)[part]);
    const feeds = await this.blockFeeds(model, layer, hidden, shape);
    // What is given are the graph's last inputs, in the order in which the part before has them as outputs.
    session.graph.inputs.slice(session.graph.inputs.length - given.length).forEach(({ name }, index) => {
      const data = given[index];
      const rows = shape.batch * shape.length;
      if (data !== undefined) feeds.set(name, float32(data, [rows, data.length / rows]));
    });
    const results = await session.run(feeds);
    return session.graph.outputs.map(({ name }) => float32Data(results.get(name), name));
  }

  /** All blocks from `fromLayer` on. */
  async forwardBlocks(
    model: ExecutableModel,
    hidden: Float32Array,
    shape: BatchShape,
    options: { readonly adapter?: LoraAdapter; readonly fromLayer?: number } = {},
  ): Promise<Float32Array> {
    let current = hidden;
    for (let layer = options.fromLayer ?? 0; layer < model.config.layers.length; layer++) {
      current = await this.forwardBlock(model, layer, current, shape, options);
    }
    return current;
  }

  /**
   * Sessions and graphs of a training block. With `recompute`, nothing but each block's input is kept: the forward
   * session has one output, and the backward session computes the rest again. Gradients flow in 8 bits through the
   * weights named in `int8Weights`.
   */
  async trainingBlock(
    model: ExecutableModel,
    shape: BatchShape,
    options: BlockOptions & { readonly adapter: LoraAdapter },
    way: { readonly recompute: boolean; readonly int8Weights?: ReadonlySet<string> },
  ): Promise<TrainingBlock> {
    const spec = blockSpec(model.config, options, shape.length);
    const key = specKey(spec);
    const backwardKey = [key, ...(way.int8Weights ?? [])].join(' ');
    const graphs = this.shelves.graphs(spec.length, backwardKey, () => trainingGraphs(spec, way.int8Weights));
    if (way.recompute) {
      return {
        graphs,
        forward: await this.session(spec.length, `forward ${key}`, () => forwardGraph(spec)),
        backward: await this.session(spec.length, `recompute ${backwardKey}`, () => graphs.recompute),
      };
    }
    return {
      graphs,
      forward: await this.session(spec.length, `training ${key}`, () => graphs.forward, this.weights.isResident ? graphs.savedNames : []),
      backward: await this.session(spec.length, `backward ${backwardKey}`, () => graphs.backward),
    };
  }

  /** Feeds of a block: weights, factors, gates, positions and mask. */
  async blockFeeds(
    model: ExecutableModel,
    layer: number,
    hidden: Float32Array,
    shape: BatchShape,
    options: BlockOptions = {},
    past = 0,
  ): Promise<Map<string, Feed>> {
    const { config } = model;
    const loaded = await this.weights.layer(model, layer);
    const feeds = new Map<string, Feed>([['x', float32(hidden, [shape.batch * shape.length, config.hidden])]]);
    for (const [role, tensor] of loaded.tensors) feeds.set(role, tensor);
    for (const [role, { a, b }] of options.adapter?.layers[layer] ?? []) {
      feeds.set(loraName(role, 'a'), float32(a.data, a.shape)).set(loraName(role, 'b'), float32(b.data, b.shape));
    }
    for (const [input, mask] of options.dropout ?? []) feeds.set(dropoutName(input), mask);
    if (options.gates !== undefined) {
      feeds.set(ATTENTION_GATE, float32(options.gates.attention, [loaded.shape.kvHeads, 1, 1, 1]));
      feeds.set(MLP_GATE, float32(options.gates.mlp, [loaded.shape.ffn]));
    }
    const { windows, localRope } = config.design;
    const window = windows[layer] ?? 0;
    const tables = this.positions.rotary(window > 0 && localRope !== null ? localRope : config.rope, past + shape.length);
    feeds.set('cosines', tables.cosines).set('sines', tables.sines).set('position', int64([past], [1]));
    const { documents } = options;
    feeds.set('mask', documents === undefined ? this.positions.causal(shape.length, past, window) : this.positions.withinDocuments(documents, window));
    return feeds;
  }

  /** A matrix [K, N] in 8 bits, each column by its largest magnitude, with a scale per column [N]. */
  async roundTo8Bits(weight: Tensor32): Promise<{ values: RuntimeTensor; scales: RuntimeTensor }> {
    const session = await this.session(null, 'int8 columns', int8ColumnsGraph);
    const results = await session.run(new Map([['weight', float32(weight.data, weight.shape)]]));
    const [values, scales] = session.graph.outputs.map(({ name }) => results.get(name));
    if (values === undefined || scales === undefined) throw new InternalError('A matrix was not rounded to 8 bits.');
    return { values, scales };
  }

  /** A weight outside the layers as the sessions of this executor want it. */
  globalFeed(model: ExecutableModel, role: GlobalRole): Promise<Feed> {
    return this.weights.global(model, role);
  }

  /**
   * What enters the first block for ids, [N, C]: sequences of `length` one after the other, by default all of one, whose
   * first token is at position `past`. Throws UsageError where a model knows fewer positions.
   */
  embed(model: ExecutableModel, ids: ArrayLike<number>, place: SequencePlace = {}): Float32Array {
    const { hidden } = model.config;
    const table = globalTensor(model, 'embedding').data;
    const rows = new Float32Array(ids.length * hidden);
    for (let row = 0; row < ids.length; row++) {
      const id = ids[row] ?? 0;
      rows.set(table.subarray(id * hidden, (id + 1) * hidden), row * hidden);
    }
    enterStream(model, rows, place);
    return rows;
  }

  /** Logits [N, V] of hidden rows [N, C]; hold only as many rows as you can keep logits for. */
  async logits(model: ExecutableModel, hidden: Float32Array): Promise<Float32Array> {
    const { vocabulary, hidden: width } = model.config;
    const rows = hidden.length / width;
    const all = new Float32Array(rows * vocabulary);
    await this.overRows(model, hidden, 'logits', undefined, async (session, feeds, from, count) => {
      const part = float32(all.subarray(from * vocabulary, (from + count) * vocabulary), [count, vocabulary]);
      await session.run(feeds, new Map([['logits', part]]));
    });
    return all;
  }

  /** Negative log-likelihood of each label, in nats, [N]. */
  async tokenLosses(model: ExecutableModel, hidden: Float32Array, labels: ArrayLike<number>, signal?: AbortSignal): Promise<Float32Array> {
    const losses = new Float32Array(labels.length);
    await this.overRows(model, hidden, 'losses', signal, async (session, feeds, from, count) => {
      feeds.set('labels', int64(sliceOf(labels, from, count), [count, 1]));
      await session.run(feeds, new Map([['losses', float32(losses.subarray(from, from + count), [count, 1])]]));
    });
    return losses;
  }

  /**
   * Losses as `tokenLosses`, and the gradient [N, C] of sum(weights * losses) with respect to the hidden rows; with a
   * teacher, of what `HeadGraphs.distilling` says.
   */
  async lossGradient(
    model: ExecutableModel,
    hidden: Float32Array,
    labels: ArrayLike<number>,
    weights: Float32Array,
    { signal, teacher }: { readonly signal?: AbortSignal | undefined; readonly teacher?: TaughtRows | undefined } = {},
  ): Promise<{ losses: Float32Array; gradient: Float32Array }> {
    const width = model.config.hidden;
    const losses = new Float32Array(labels.length);
    const gradient = new Float32Array(hidden.length);
    await this.overRows(model, hidden, teacher === undefined ? 'training' : 'distilling', signal, async (session, feeds, from, count) => {
      if (teacher !== undefined) {
        feeds.set('teacher', float32(teacher.hidden.subarray(from * width, (from + count) * width), [count, width]));
        feeds.set('share', float32(Float32Array.of(teacher.share), [1]));
      }
      feeds.set('labels', int64(sliceOf(labels, from, count), [count, 1]));
      feeds.set('weights', float32(weights.subarray(from, from + count), [count, 1]));
      const [, gradientValue] = session.graph.outputs;
      await session.run(
        feeds,
        new Map([
          ['losses', float32(losses.subarray(from, from + count), [count, 1])],
          [gradientValue?.name ?? '', float32(gradient.subarray(from * width, (from + count) * width), [count, width])],
        ]),
      );
    });
    return { losses, gradient };
  }

  private async overRows(
    model: ExecutableModel,
    hidden: Float32Array,
    kind: keyof HeadGraphs,
    signal: AbortSignal | undefined,
    run: (session: Session, feeds: Map<string, Feed>, from: number, count: number) => Promise<void>,
  ): Promise<void> {
    const { config } = model;
    const form = headForm(config);
    const key = JSON.stringify(form);
    const graphs = this.heads.get(key) ?? headGraphs(form);
    this.heads.set(key, graphs);
    const session = await this.session(null, `head ${kind} ${key}`, () => graphs[kind]);
    const weights = new Map<string, Feed>([['head', await this.weights.global(model, headRole(config))]]);
    for (const role of FINAL_NORM) if (model.globals.has(role)) weights.set(role, await this.weights.global(model, role));
    const rows = hidden.length / config.hidden;
    for (let from = 0; from < rows; from += HEAD_ROWS) {
      const count = Math.min(HEAD_ROWS, rows - from);
      const part = hidden.subarray(from * config.hidden, (from + count) * config.hidden);
      await run(session, new Map([...weights, ['x', float32(part, [count, config.hidden])]]), from, count);
      throwIfCancelled(signal);
    }
  }

  /** The session of a graph for sequences of a length, null for any; it is made where `key` is not known yet. */
  session(length: number | null, key: string, graph: () => Graph, kept: readonly string[] = []): Promise<Session> {
    return this.shelves.session(length, key, () => Session.create(this.weights.adapt(graph()), this.options, new Set(kept)));
  }
}

/** The block spec of a model; all layers of a model share one. Lengths that attention can use are part of it. */
export function blockSpec(config: ModelConfig, options: BlockOptions, length: number | null): BlockSpec {
  const [first] = config.layers;
  const { adapter } = options;
  return {
    form: blockForm(config),
    headDim: config.headDim,
    headsPerGroup: first === undefined ? 1 : first.heads / first.kvHeads,
    rmsEpsilon: config.rmsEpsilon,
    biases: config.biases,
    lora: adapter === undefined ? null : { scale: adapter.scale, targets: adapter.targets, dropout: options.dropout !== undefined },
    length: length !== null && queryBlock(length) !== null ? length : null,
    documents: options.documents !== undefined,
    gates: options.gates !== undefined,
  };
}

/** A text that is the same for specs that are. */
export function specKey(spec: BlockSpec): string {
  return JSON.stringify({ ...spec, biases: [...spec.biases] });
}

function sliceOf(values: ArrayLike<number>, from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => values[from + index] ?? 0);
}
