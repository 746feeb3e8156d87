/**
 * Knowledge distribution analysis (LoRAShear, Algorithm 3): each node group is pruned alone at a ratio, by a proxy
 * saliency, and the deviation of each source's loss from the full model's is measured. The hidden states before each
 * layer are kept, so that a group costs only the layers from its own on.
 */
import type { Executor } from '../execution/executor';
import { layerOf, type LoadedLayer, type LoadedModel } from '../execution/loaded-model';
import type { LayerShape } from '../model/config';
import { windowLosses } from '../evaluation/perplexity';
import { breathe, type OnProgress } from '../support/progress';
import { sliceTensors } from './apply';
import type { UnitGroup } from './units';

/** Windows of token ids of one source, all of one length. */
export interface KnowledgeSource {
  readonly name: string;
  readonly windows: readonly ArrayLike<number>[];
}

export interface GroupDeviation {
  /** Index in the list of groups. */
  readonly group: number;
  /** Rise of the mean loss of each source, in nats a token, in the order of the sources. */
  readonly deviations: readonly number[];
}

/** The full model's hidden states before every layer, and its losses. */
export class KnowledgeProbe {
  private readonly prefixes: Float32Array[] = [];
  private fullLosses: readonly number[] = [];
  private readonly windows: readonly ArrayLike<number>[];
  private readonly tokensPerWindow: number;

  constructor(
    private readonly executor: Executor,
    private readonly model: LoadedModel,
    private readonly sources: readonly KnowledgeSource[],
  ) {
    this.windows = sources.flatMap((source) => source.windows);
    this.tokensPerWindow = (this.windows[0]?.length ?? 1) - 1;
  }

  /** Runs the full model once. Memory: 4 bytes x tokens x C x layers. */
  async prepare(signal?: AbortSignal): Promise<void> {
    let hidden: Float32Array = this.executor.embed(this.model, Int32Array.from(this.windows.flatMap((window) => Array.from(window))));
    for (let layer = 0; layer < this.model.layers.length; layer++) {
      this.prefixes.push(hidden);
      hidden = await this.executor.forwardBlock(this.model, layer, hidden, this.shape());
      await breathe(signal);
    }
    this.fullLosses = await this.lossesBySource(hidden, signal);
  }

  /** Deviation of each source when only `kept` units of a group stay. */
  async deviationWithout(group: UnitGroup, kept: readonly number[], signal?: AbortSignal): Promise<number[]> {
    const { layer } = group;
    const full = layerOf(this.model, layer);
    const shape = shapeWith(full.shape, group, kept.length);
    const pruned: LoadedLayer = { shape, tensors: sliceTensors(full.tensors, group, kept) };
    const model = { ...this.model, layers: this.model.layers.map((other, index) => (index === layer ? pruned : other)) };
    let hidden = this.prefixes[layer] ?? new Float32Array(0);
    for (let index = layer; index < model.layers.length; index++) {
      hidden = await this.executor.forwardBlock(model, index, hidden, this.shape());
      await breathe(signal);
    }
    const losses = await this.lossesBySource(hidden, signal);
    return losses.map((loss, index) => loss - (this.fullLosses[index] ?? 0));
  }

  private shape(): { batch: number; length: number } {
    return { batch: this.windows.length, length: this.tokensPerWindow + 1 };
  }

  private async lossesBySource(hidden: Float32Array, signal?: AbortSignal): Promise<number[]> {
    const sums = await windowLosses(this.executor, this.model, hidden, this.windows, signal);
    let from = 0;
    return this.sources.map(({ windows }) => {
      const own = sums.slice(from, from + windows.length);
      from += windows.length;
      return own.reduce((sum, loss) => sum + loss, 0) / (windows.length * this.tokensPerWindow);
    });
  }
}

function shapeWith(shape: LayerShape, group: UnitGroup, left: number): LayerShape {
  if (group.part === 'mlp') return { ...shape, ffn: left };
  return { ...shape, kvHeads: left, heads: (shape.heads / shape.kvHeads) * left };
}

/** The units that a group keeps when its least salient are removed at a ratio; at least one goes and one stays. */
export function keptAtRatio(scores: ArrayLike<number>, ratio: number): number[] {
  const size = scores.length;
  const remove = Math.min(size - 1, Math.max(1, Math.round(size * ratio)));
  const order = Array.from({ length: size }, (_, unit) => unit).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
  return order.slice(remove).sort((a, b) => a - b);
}

/** Analyses every group; `onGroup` is told each deviation as it is found. */
export async function analyseKnowledge(
  probe: KnowledgeProbe,
  groups: readonly UnitGroup[],
  scores: readonly ArrayLike<number>[],
  options: {
    readonly ratio: number;
    readonly signal?: AbortSignal;
    readonly onProgress?: OnProgress;
    readonly onGroup?: (found: GroupDeviation) => void;
  },
): Promise<GroupDeviation[]> {
  const found: GroupDeviation[] = [];
  for (const [index, group] of groups.entries()) {
    const kept = keptAtRatio(scores[index] ?? [], options.ratio);
    const deviation = { group: index, deviations: await probe.deviationWithout(group, kept, options.signal) };
    found.push(deviation);
    options.onGroup?.(deviation);
    options.onProgress?.({ done: index + 1, total: groups.length });
  }
  return found;
}

/** Groups with the largest mean deviation, a share of all: they become unprunable (Algorithm 3, last lines). */
export function mostSensitive(found: readonly GroupDeviation[], share: number): Set<number> {
  const mean = ({ deviations }: GroupDeviation): number => deviations.reduce((sum, value) => sum + value, 0) / Math.max(1, deviations.length);
  const order = [...found].sort((a, b) => mean(b) - mean(a) || a.group - b.group);
  return new Set(order.slice(0, Math.floor(share * found.length)).map(({ group }) => group));
}
