/**
 * How much memory training takes, from the graphs that it runs and the op table: weights, activations, gradients, the
 * optimiser, and what the runtime holds inside its sessions. Checked against measurements by scripts/measure-memory.mjs.
 */
import { blockSpec, HEAD_ROWS, type BlockOptions } from '../execution/executor';
import { forwardGraph, headForm, headGraphs, trainingGraphs, type HeadGraphs } from '../execution/graphs';
import { peakLiveBytes, valueBytes, type Bindings } from '../graph/cost';
import type { Value } from '../graph/graph';
import { countLinearParameters, countParameters, linearRoles, linearShape, type LayerShape, type ModelConfig } from '../model/config';
import { dropoutPoolLength } from '../training/dropout';

/** What decides about memory besides the model. */
export interface TrainingShape {
  readonly rank: number;
  /** Sequences computed at once, and their length in tokens. */
  readonly batch: number;
  readonly length: number;
  /** Whether gates and their gradients are computed too, as while pruning. */
  readonly gates?: boolean;
  /** Whether documents of one sequence are kept apart by masks of their own. */
  readonly documents?: boolean;
  /** Whether what enters LoRA's factors is masked. */
  readonly dropout?: boolean;
  /** Whether blocks are computed again in the backward pass instead of their inner values being saved. */
  readonly recompute?: boolean;
  /** Whether layers are read from the file each time. */
  readonly streamed?: boolean;
  /** Whether a teacher of the same size gives a share of what is learned. */
  readonly taught?: boolean;
}

/** Bytes by what holds them; a training process has their sum at its peak. */
export interface TrainingMemory {
  /** The program with the numeric runtime, and the garbage that JavaScript lets lie. */
  readonly base: number;
  /** The model's weights as float32. */
  readonly weights: number;
  /** Outputs and saved values of all blocks. */
  readonly activations: number;
  /** LoRA factors, their gradients and the optimiser's moments. */
  readonly adapter: number;
  /** What each session holds for inner values: at its peak once, then for good. */
  readonly sessions: number;
  /** Masks, of dropout too, the head's results, and gradients on their way down. */
  readonly shared: number;
}

/** Measured for a model of a few thousand parameters. */
const BASE_BYTES = 105e6;
/** The runtime's memory pools split and round what they hand out; measured as 1.2 to 1.3 times what lives at once. */
const POOL_SLACK = 1.25;
const FLOAT = 4;

/** Estimates the peak of a process that trains LoRA on all linears. */
export function estimateTraining(config: ModelConfig, shape: TrainingShape): TrainingMemory {
  const { rank, batch, length, gates = false, documents = false, dropout = false, recompute = false, streamed = false, taught = false } = shape;
  const options: BlockOptions = {
    adapter: { rank, scale: 1, targets: linearRoles(config), layers: [] },
    ...(dropout ? { dropout: new Map() } : {}),
    ...(gates ? { gates: { attention: new Float32Array(0), mlp: new Float32Array(0) } } : {}),
  };
  const spec = { ...blockSpec(config, options, length), documents };
  const graphs = trainingGraphs(spec);
  const forward = recompute ? forwardGraph(spec) : graphs.forward;
  const backward = recompute ? graphs.recompute : graphs.backward;
  const passedDown = graphs.gradientNames.get('x');
  const perLayer = config.layers.map((layer) => {
    const sizes = bindingsOf(config, layer, shape);
    const factors = linearRoles(config).map((role) => linearShape(config, layer, role)).reduce((sum, [out, input]) => sum + FLOAT * rank * (out + input), 0);
    return {
      outputs: total(forward.outputs, sizes),
      gradients: total(backward.outputs.filter(({ name }) => name !== passedDown), sizes),
      factors,
      forward: peakLiveBytes(forward, sizes),
      backward: peakLiveBytes(backward, sizes),
    };
  });
  const sum = (key: keyof (typeof perLayer)[number]): number => perLayer.reduce((all, layer) => all + layer[key], 0);
  const most = (key: keyof (typeof perLayer)[number]): number => Math.max(0, ...perLayer.map((layer) => layer[key]));
  const rows = batch * length;
  const hidden = FLOAT * rows * config.hidden;
  return {
    base: BASE_BYTES,
    weights: (taught ? 2 : 1) * weightBytes(config, streamed),
    activations: hidden + sum('outputs'),
    adapter: sum('gradients') + 3 * sum('factors'),
    sessions: POOL_SLACK * (most('forward') + most('backward') + headPeak(config, rows, taught ? 'distilling' : 'training')),
    // The head's gradient and the two that alternate below it; what one step leaves is collected during the next.
    shared: (taught ? 6 : 4) * hidden + masks(config) * FLOAT * length * length * (documents ? batch : 1) + (dropout ? FLOAT * dropoutPoolLength(config, rows) : 0),
  };
}

/** Estimates the peak of a process that runs a model forward and sums up losses. */
export function estimateForward(config: ModelConfig, { batch, length, streamed = false }: Pick<TrainingShape, 'batch' | 'length' | 'streamed'>): TrainingMemory {
  const graph = forwardGraph(blockSpec(config, {}, length));
  const rows = batch * length;
  const hidden = FLOAT * rows * config.hidden;
  const block = Math.max(0, ...config.layers.map((layer) => peakLiveBytes(graph, bindingsOf(config, layer, { rank: 0, batch, length }))));
  return {
    base: BASE_BYTES,
    weights: weightBytes(config, streamed),
    // What enters a layer and what leaves it, and as much again that waits to be collected.
    activations: 4 * hidden,
    adapter: 0,
    sessions: POOL_SLACK * (block + headPeak(config, rows, 'losses')),
    shared: masks(config) * FLOAT * length * length,
  };
}

/** Weights as float32; of those streamed, the two largest layers and what is outside the layers. */
export function weightBytes(config: ModelConfig, streamed: boolean): number {
  if (!streamed) return FLOAT * countParameters(config);
  const largest = Math.max(0, ...config.layers.map((layer) => countLinearParameters({ ...config, layers: [layer] })));
  return FLOAT * (countParameters(config) - countLinearParameters(config) + Math.min(2, config.layers.length) * largest);
}

/** Their sum. */
export function totalBytes(memory: TrainingMemory): number {
  return memory.base + memory.weights + memory.activations + memory.adapter + memory.sessions + memory.shared;
}

/** Masks that exist at once: the causal one, and one for each length of window. */
function masks({ design }: ModelConfig): number {
  return new Set([0, ...design.windows]).size;
}

function headPeak(config: ModelConfig, rows: number, kind: Exclude<keyof HeadGraphs, 'logits'> = 'training'): number {
  const graph = headGraphs(headForm(config))[kind];
  return peakLiveBytes(graph, new Map([['N', Math.min(HEAD_ROWS, rows)], ['C', config.hidden], ['V', config.vocabulary]]));
}

function bindingsOf(config: ModelConfig, layer: LayerShape, { rank, batch, length }: TrainingShape): Bindings {
  return new Map([
    ['B', batch], ['T', length], ['C', config.hidden], ['K', layer.kvHeads], ['F', layer.ffn], ['R', rank], ['P', length],
  ]);
}

function total(values: readonly Value[], sizes: Bindings): number {
  return values.reduce((sum, value) => sum + valueBytes(value, sizes), 0);
}
