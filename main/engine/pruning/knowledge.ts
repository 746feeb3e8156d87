/**
 * Knowledge distribution analysis (LoRAShear, Algorithm 3): each node group is pruned alone at a ratio, by a proxy
 * saliency, and the deviation of each source's loss from the full model's is measured. The hidden states before each
 * layer are kept, so that a group costs only the layers from its own on.
 */
import type { Executor } from '../execution/executor';
import { readLayer, withLayer, type ExecutableModel, type LoadedLayer } from '../execution/loaded-model';
import type { LayerRole, LayerShape } from '../model/config';
import { windowLosses } from '../evaluation/perplexity';
import { breathe, type OnProgress } from '../support/progress';
import type { Tensor32 } from '../tensors/handle';
import { sliceTensors } from './slice-units';
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
  /** By batch, the hidden states before each layer. */
  private readonly prefixes: Float32Array[][] = [];
  private fullLosses: readonly number[] = [];
  private readonly batches: readonly (readonly ArrayLike<number>[])[];
  private readonly length: number;

  /** `batch` windows are computed at a time. */
  constructor(
    private readonly executor: Executor,
    private readonly model: ExecutableModel,
    private readonly sources: readonly KnowledgeSource[],
    batch: number,
  ) {
    const windows = sources.flatMap((source) => source.windows);
    this.batches = Array.from({ length: Math.ceil(windows.length / batch) }, (_, index) => windows.slice(index * batch, (index + 1) * batch));
    this.length = windows[0]?.length ?? 1;
  }

  /** Runs the full model once. Memory: 4 bytes x tokens x C x layers. */
  async prepare(signal?: AbortSignal): Promise<void> {
    const sums: number[] = [];
    for (const windows of this.batches) {
      const prefixes: Float32Array[] = [];
      let hidden: Float32Array = this.executor.embed(this.model, Int32Array.from(windows.flatMap((window) => Array.from(window))), { length: this.length });
      for (let layer = 0; layer < this.model.config.layers.length; layer++) {
        prefixes.push(hidden);
        hidden = await this.executor.forwardBlock(this.model, layer, hidden, { batch: windows.length, length: this.length });
        await breathe(signal);
      }
      this.prefixes.push(prefixes);
      sums.push(...(await windowLosses(this.executor, this.model, hidden, windows, signal)));
    }
    this.fullLosses = this.lossesBySource(sums);
  }

  /** Deviation of each source when only `kept` units of a group stay. */
  async deviationWithout(group: UnitGroup, kept: readonly number[], signal?: AbortSignal): Promise<number[]> {
    const { layer } = group;
    const full = await readLayer(this.model, layer);
    const pruned: LoadedLayer = { shape: shapeWith(full.shape, group, kept.length), tensors: this.kept(full, sliceTensors(full.tensors, group, kept)) };
    const model = withLayer(this.model, layer, pruned);
    // All batches through one layer before the next: a layer that has to be read from a file is read once.
    const hidden = this.batches.map((_, index) => this.prefixes[index]?.[layer] ?? new Float32Array(0));
    for (let next = layer; next < model.config.layers.length; next++) {
      for (const [index, windows] of this.batches.entries()) {
        hidden[index] = await this.executor.forwardBlock(model, next, hidden[index] ?? new Float32Array(0), { batch: windows.length, length: this.length });
        await breathe(signal);
      }
    }
    const sums: number[] = [];
    for (const [index, windows] of this.batches.entries()) {
      sums.push(...(await windowLosses(this.executor, this.model, hidden[index] ?? new Float32Array(0), windows, signal)));
    }
    return this.lossesBySource(sums).map((loss, index) => loss - (this.fullLosses[index] ?? 0));
  }

  /** What is shared with a layer that was read from a file must outlive the next one that is read. */
  private kept(full: LoadedLayer, tensors: ReadonlyMap<LayerRole, Tensor32>): ReadonlyMap<LayerRole, Tensor32> {
    if ('layers' in this.model) return tensors;
    return new Map([...tensors].map(([role, tensor]) => [role, full.tensors.get(role) === tensor ? { ...tensor, data: tensor.data.slice() } : tensor]));
  }

  private lossesBySource(sums: readonly number[]): number[] {
    let from = 0;
    return this.sources.map(({ windows }) => {
      const own = sums.slice(from, from + windows.length);
      from += windows.length;
      return own.reduce((sum, loss) => sum + loss, 0) / (windows.length * (this.length - 1));
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

/** Analyses every group; `onGroup` is told each deviation as it is found, and waited for. */
export async function analyseKnowledge(
  probe: KnowledgeProbe,
  groups: readonly UnitGroup[],
  scores: readonly ArrayLike<number>[],
  options: {
    readonly ratio: number;
    readonly signal?: AbortSignal;
    readonly onProgress?: OnProgress;
    /** What is known already, of the first groups: it is not measured again. */
    readonly found?: readonly GroupDeviation[];
    readonly onGroup?: (found: GroupDeviation) => Promise<void>;
  },
): Promise<GroupDeviation[]> {
  const found = [...(options.found ?? [])];
  for (const [index, group] of groups.entries()) {
    if (index < found.length) continue;
    const kept = keptAtRatio(scores[index] ?? [], options.ratio);
    const deviation = { group: index, deviations: await probe.deviationWithout(group, kept, options.signal) };
    found.push(deviation);
    options.onProgress?.({ done: index + 1, total: groups.length });
    await options.onGroup?.(deviation);
  }
  return found;
}

/**
 * Mean deviation when each unit of a group is removed alone: how the units of a group are ranked where they are few
 * and gradients of gates mislead, as they do for key/value groups.
 */
export async function deviationsOfUnits(probe: KnowledgeProbe, group: UnitGroup, signal?: AbortSignal): Promise<number[]> {
  const units = Array.from({ length: group.size }, (_, unit) => unit);
  const found: number[] = [];
  for (const unit of units) found.push(mean(await probe.deviationWithout(group, units.filter((other) => other !== unit), signal)));
  return found;
}

/**
 * Groups with the largest mean deviation, a share of all, the most sensitive first: they become unprunable
 * (Algorithm 3, last lines).
 */
export function mostSensitive(found: readonly GroupDeviation[], share: number): number[] {
  const order = [...found].sort((a, b) => mean(b.deviations) - mean(a.deviations) || a.group - b.group);
  return order.slice(0, Math.floor(share * found.length)).map(({ group }) => group);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
