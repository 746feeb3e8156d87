/**
 * Compensation: refits the linears that write into the residual stream (o and down), layer by layer, so that the smaller
 * model's stream follows the full model's as closely as least squares can make it. Forward passes alone, no training.
 */
import { Gemm64 } from '../algebra/gemm64';
import { GramAccumulator } from '../algebra/gram';
import { solveRidge } from '../algebra/ridge';
import type { BatchShape, Executor } from '../execution/executor';
import { layerTensor, readLayer, type ExecutableModel } from '../execution/loaded-model';
import type { ModelConfig } from '../model/config';
import { NO_CHECKPOINT, type Checkpoint, type Numbers } from '../support/checkpoint';
import { InternalError } from '../support/errors';
import { breathe, type OnProgress } from '../support/progress';

export interface CompensateOptions {
  /** Sequences of equal length; some tens of thousands of tokens are enough. */
  readonly windows: readonly ArrayLike<number>[];
  /** Sequences computed together. */
  readonly batch: number;
  /** Ridge as a share of the mean of the Gram's diagonal; it pulls towards the weights as they are. */
  readonly ridge: number;
  readonly threads: number;
  readonly signal?: AbortSignal;
  /** Goes on from there, with `small` as it was at the beginning, and keeps states there. */
  readonly checkpoint?: Checkpoint;
  readonly onProgress?: OnProgress;
}

/** What is known of one batch between layers; all [N, C], N tokens. */
interface Batch {
  readonly shape: BatchShape;
  /** The stream before the layer, of the full and of the smaller model. */
  full: Float32Array;
  small: Float32Array;
}

/**
 * Refits o and down of every layer of `small` in place. The target of each is the full model's stream after it less the
 * smaller model's before it, so that later layers make up for what earlier ones could not. Tokens count by 1 / mean
 * square of the full model's stream: the first ones of a text are hundreds of times as large as the rest and would
 * decide alone. Where what o and down give is normalised before it is added, its length is lost there: their targets
 * are then what the full model's give.
 *
 * Memory: `compensationBytes` a token, and what GramAccumulator and solveRidge hold for the widest layer. Cost: two forward passes and about n^2 operations a token and layer for n channels.
 */
export async function compensate(executor: Executor, full: ExecutableModel, small: ExecutableModel, options: CompensateOptions): Promise<void> {
  const { windows, signal, onProgress } = options;
  const gemm = new Gemm64(options.threads);
  try {
    const batches: Batch[] = [];
    for (let from = 0; from < windows.length; from += options.batch) {
      const part = windows.slice(from, from + options.batch);
      const ids = Int32Array.from(part.flatMap((window) => Array.from(window)));
      const shape = { batch: part.length, length: ids.length / part.length };
      batches.push({ shape, full: executor.embed(full, ids, shape), small: executor.embed(small, ids, shape) });
    }
    const depth = small.config.layers.length;
    const { saved, offer } = options.checkpoint ?? NO_CHECKPOINT;
    const known = saved?.arrays['refitted'] ?? [];
    for (let layer = 0; layer < depth; layer++) {
      await breathe(signal);
      const before = known.slice(layer * REFITTED.length, (layer + 1) * REFITTED.length);
      await new LayerRefit(executor, gemm, full, small, layer, options).run(batches, before);
      onProgress?.({ done: layer + 1, total: depth });
      if (before.length === 0) await offer(async () => ({ data: null, arrays: { refitted: await readRefitted(small, layer + 1) } }));
    }
  } finally {
    await gemm.dispose();
  }
}

/** What is refitted of a layer, in this order. */
const REFITTED = ['o', 'down'] as const;
type Refitted = (typeof REFITTED)[number];

/** Copies of what was refitted of the first layers. */
async function readRefitted(small: ExecutableModel, layers: number): Promise<Float32Array[]> {
  const copies: Float32Array[] = [];
  for (let index = 0; index < layers; index++) {
    const layer = await readLayer(small, index);
    for (const role of REFITTED) copies.push(layerTensor(layer, role).data.slice());
  }
  return copies;
}

/** Bytes that are kept for each token while a layer is refitted: its streams, what enters o and down, and the sum between. */
export function compensationBytes(config: ModelConfig): number {
  const streams = config.design.normsAfter ? 4 : 3;
  const widest = Math.max(...config.layers.map(({ heads, ffn }) => heads * config.headDim + ffn));
  return 4 * (streams * config.hidden + widest);
}

/** The stream after attention [N, C], and what enters down [N, F]. */
interface Middle {
  readonly middle: Float32Array;
  readonly channels: Float32Array;
  /** What o gives, where it is normalised. */
  readonly attended: Float32Array | null;
}

/** The work on one layer; leaves the batches' streams behind it. */
class LayerRefit {
  constructor(
    private readonly executor: Executor,
    private readonly gemm: Gemm64,
    private readonly full: ExecutableModel,
    private readonly small: ExecutableModel,
    private readonly layer: number,
    private readonly options: CompensateOptions,
  ) {}

  /** `known` are the layer's o and down if they have been refitted already: then only the streams are moved on. */
  async run(batches: readonly Batch[], known: readonly Numbers[]): Promise<void> {
    const { small, full } = this;
    const [knownO, knownDown] = known;
    const attentions: Float32Array[] = [];
    const fed: (Float32Array | null)[] = [];
    const o = knownO === undefined ? await this.statistics('o') : null;
    for (const batch of batches) {
      const attention = await this.attention(small, batch, batch.small);
      const target = await this.mlp(full, batch, batch.full, await this.attention(full, batch, batch.full));
      if (o !== null) await this.add('o', o, attention, target.attended ?? target.middle, target.attended === null ? batch.small : null);
      const after = await this.output(full, batch, batch.full, target);
      batch.full = after.output;
      fed.push(after.fed);
      attentions.push(attention);
      await breathe(this.options.signal);
    }
    await this.refit('o', o ?? knownO);
    const down = knownDown === undefined ? await this.statistics('down') : null;
    const middles: Middle[] = [];
    for (const [index, batch] of batches.entries()) {
      const attention = attentions[index];
      if (attention === undefined) continue;
      const middle = await this.mlp(small, batch, batch.small, attention);
      const wanted = fed[index] ?? null;
      if (down !== null) await this.add('down', down, middle.channels, wanted ?? batch.full, wanted === null ? middle.middle : null);
      middles.push(middle);
      await breathe(this.options.signal);
    }
    await this.refit('down', down ?? knownDown);
    for (const [index, batch] of batches.entries()) {
      const middle = middles[index];
      if (middle !== undefined) batch.small = (await this.output(small, batch, batch.small, middle)).output;
    }
  }

  private async attention(model: ExecutableModel, { shape }: Batch, hidden: Float32Array): Promise<Float32Array> {
    return given((await this.executor.blockPart(model, this.layer, 'attention', hidden, shape))[0]);
  }

  private async mlp(model: ExecutableModel, { shape }: Batch, hidden: Float32Array, attention: Float32Array): Promise<Middle> {
    const [middle, channels, attended = null] = await this.executor.blockPart(model, this.layer, 'mlp', hidden, shape, [attention]);
    return { middle: given(middle), channels: given(channels), attended };
  }

  private async output(model: ExecutableModel, { shape }: Batch, hidden: Float32Array, { middle, channels }: Middle): Promise<{ output: Float32Array; fed: Float32Array | null }> {
    const [output, fed = null] = await this.executor.blockPart(model, this.layer, 'output', hidden, shape, [middle, channels]);
    return { output: given(output), fed };
  }

  private async statistics(role: Refitted): Promise<GramAccumulator> {
    const [outputs = 0, inputs = 0] = layerTensor(await readLayer(this.small, this.layer), role).shape;
    return new GramAccumulator(this.gemm, { inputs, outputs });
  }

  /** Adds rows of what enters a linear with what it should add to the stream: `after` - `before` where there is one, less its bias. */
  private async add(
    role: Refitted,
    statistics: GramAccumulator,
    inputs: Float32Array,
    after: Float32Array,
    before: Float32Array | null,
  ): Promise<void> {
    const width = this.small.config.hidden;
    const bias = (await readLayer(this.small, this.layer)).tensors.get(`${role}.bias`)?.data;
    const outputs = after.map((value, at) => value - (before?.[at] ?? 0) - (bias?.[at % width] ?? 0));
    const weights = Float32Array.from({ length: after.length / width }, (_, row) => {
      let square = 0;
      for (let at = row * width; at < (row + 1) * width; at++) square += (after[at] ?? 0) ** 2;
      return width / Math.max(square, 1e-12);
    });
    await statistics.add({ inputs, outputs, weights }, this.options.signal);
  }

  /** Changes a linear to what statistics say, or to what is known. */
  private async refit(role: Refitted, from: GramAccumulator | Numbers | undefined): Promise<void> {
    const data = from instanceof GramAccumulator ? await this.solve(role, from) : from;
    if (data === undefined) throw new InternalError(`There is nothing to refit ${role} from.`);
    await this.executor.changeLayer(this.small, this.layer, (layer) => {
      layerTensor(layer, role).data.set(data);
    });
  }

  private async solve(role: Refitted, accumulator: GramAccumulator): Promise<Float32Array> {
    const { ridge, signal } = this.options;
    const { gram, cross } = await accumulator.finish(signal);
    if (cross === null) throw new InternalError(`Nothing was gathered to refit ${role}.`);
    const prior = layerTensor(await readLayer(this.small, this.layer), role);
    return (await solveRidge(this.gemm, gram, cross, { ridge, prior, overwriteGram: true, ...(signal && { signal }) })).data;
  }
}

function given(tensor: Float32Array | undefined): Float32Array {
  if (tensor === undefined) throw new InternalError('A part of a block gave no result.');
  return tensor;
}
