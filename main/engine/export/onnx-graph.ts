/**
 * A whole model as an ONNX graph with a cache of keys and values, with the inputs and outputs that onnxruntime-genai
 * expects: every family follows from the model's design, and each layer has its own widths. Attention is
 * GroupQueryAttention (onnxruntime, docs/ContribOperators.md), whose cache may be one buffer for what goes in and comes out.
 */
import { float, int, type OnnxAttribute } from '../graph/op-rule';
import type { LayerRole, LinearRole, ModelConfig, NormRole } from '../model/config';
import { rotaryWidthOf } from '../model/design';
import { OnnxModelBuilder } from './onnx-nodes';
import type { OnnxFileType } from './onnx-types';
import { OnnxWeights, type PlannedData } from './onnx-weights';

const MICROSOFT = { domain: 'com.microsoft' } as const;

/** A model file, and what its data file holds in what order. */
export interface OnnxGraph {
  readonly model: Uint8Array;
  readonly data: readonly PlannedData[];
  /** Bytes of the data file. */
  readonly dataBytes: number;
}

/** Inputs, outputs and their names; `%d` stands for the number of the layer. */
export const ONNX_NAMES = {
  ids: 'input_ids', mask: 'attention_mask', positions: 'position_ids', logits: 'logits',
  pastKey: 'past_key_values.%d.key', pastValue: 'past_key_values.%d.value', presentKey: 'present.%d.key', presentValue: 'present.%d.value',
} as const;

/** A name of a layer's. */
export function layerName(pattern: string, layer: number): string {
  return pattern.replace('%d', String(layer));
}

/**
 * Describes a model: `input_ids`, `position_ids` [B, T] and `attention_mask` [B, past + T] (int64), past keys and values
 * [B, K, past, D] to `logits` [B, T, V] and present ones [B, K, past + T, D], all float32.
 */
export function buildOnnxGraph(config: ModelConfig, type: OnnxFileType, dataFile: string): OnnxGraph {
  const builder = new OnnxModelBuilder(dataFile);
  const weights = new OnnxWeights(builder, config, type);
  new ModelWriter(builder, weights, config).write();
  return { model: builder.encode(config.family), data: weights.planned, dataBytes: builder.dataSize };
}

/** What all layers share. */
interface Shared {
  readonly positions: string;
  /** Position of the last token [B], and number of all [] (int32). */
  readonly last: string;
  readonly total: string;
  /** [B, T] as a tensor. */
  readonly shape: string;
}

class ModelWriter {
  constructor(
    private readonly builder: OnnxModelBuilder,
    private readonly weights: OnnxWeights,
    private readonly config: ModelConfig,
  ) {}

  write(): void {
    const { builder, config } = this;
    const { design, hidden, vocabulary } = config;
    const ids = builder.input(ONNX_NAMES.ids, 'int64', ['batch_size', 'sequence_length']);
    const mask = builder.input(ONNX_NAMES.mask, 'int64', ['batch_size', 'total_sequence_length']);
    const positions = builder.input(ONNX_NAMES.positions, 'int64', ['batch_size', 'sequence_length']);
    const shared: Shared = { positions, ...this.lengths(mask), shape: builder.node('Shape', [ids]) };
    let stream = this.weights.rows(this.flat(ids, []), 'embedding');
    if (design.scaledEmbedding) stream = builder.node('Mul', [stream, this.number(Math.fround(Math.sqrt(hidden)))]);
    if (design.learnedPositions) stream = builder.node('Add', [stream, this.weights.rows(this.flat(positions, []), 'positions')]);
    for (const layer of config.layers.keys()) stream = this.block(layer, stream, shared);
    const normal = this.norm(stream, (part) => this.weights.value({ layer: null, role: part === 'bias' ? 'finalNorm.bias' : 'finalNorm' }));
    const logits = this.capped(this.weights.product(normal, { layer: null, role: config.tied ? 'embedding' : 'head' }, null), design.logitCap);
    this.split(logits, vocabulary, shared, ONNX_NAMES.logits);
    builder.output(ONNX_NAMES.logits, 'float32', ['batch_size', 'sequence_length', vocabulary]);
    for (const [layer, { kvHeads }] of config.layers.entries()) {
      for (const name of [ONNX_NAMES.presentKey, ONNX_NAMES.presentValue]) {
        builder.output(layerName(name, layer), 'float32', ['batch_size', kvHeads, 'total_sequence_length', config.headDim]);
      }
    }
  }

  /** What attention wants to know of lengths, from the mask. */
  private lengths(mask: string): Pick<Shared, 'last' | 'total'> {
    const { builder } = this;
    const toInt32 = (value: string): string => builder.node('Cast', [value], { attributes: { to: int(6) } });
    const one = builder.constant('int64:one', 'int64', [1], [1]);
    const count = builder.node('ReduceSum', [mask, one], { attributes: { keepdims: int(0) } });
    const last = toInt32(builder.node('Sub', [count, one]));
    const total = toInt32(builder.node('Gather', [builder.node('Shape', [mask]), builder.constant('int64:second', 'int64', [], [1])]));
    return { last, total };
  }

  private block(layer: number, stream: string, shared: Shared): string {
    const { builder, config } = this;
    const { design } = config;
    const weight = (role: LayerRole): string => this.weights.value({ layer, role });
    const before = (role: 'attentionNorm' | 'mlpNorm', value: string): string =>
      design.normsBefore ? this.norm(value, (part) => weight(part === 'bias' ? `${role}.bias` : role)) : value;
    const after = (role: NormRole, value: string): string => (design.normsAfter ? this.rmsNorm(value, weight(role)) : value);
    const linear = (role: LinearRole, value: string): string =>
      this.weights.product(value, { layer, role }, config.biases.has(role) ? weight(`${role}.bias`) : null);

    const attended = linear('o', this.attention(layer, before('attentionNorm', stream), linear, shared));
    const middle = builder.node('Add', [stream, after('attentionPostNorm', attended)]);
    const entering = before('mlpNorm', design.parallel ? stream : middle);
    const opened = this.activated(linear(design.gated ? 'gate' : 'up', entering));
    const channels = design.gated ? builder.node('Mul', [opened, linear('up', entering)]) : opened;
    return builder.node('Add', [middle, after('mlpPostNorm', linear('down', channels))]);
  }

  /** What enters o, [N, H*D]. */
  private attention(layer: number, entering: string, linear: (role: LinearRole, value: string) => string, shared: Shared): string {
    const { builder, config } = this;
    const { design, headDim } = config;
    const { heads, kvHeads } = config.layers[layer] ?? { heads: 0, kvHeads: 0 };
    const window = design.windows[layer] ?? 0;
    const past = [ONNX_NAMES.pastKey, ONNX_NAMES.pastValue].map((name) =>
      builder.input(layerName(name, layer), 'float32', ['batch_size', kvHeads, 'past_sequence_length', headDim]));
    const looking = (role: 'q' | 'k', count: number): string => {
      let value = linear(role, entering);
      const scale = (): string => this.weights.value({ layer, role: `${role}Norm` });
      if (design.qkNorm === 'all') value = this.rmsNorm(value, scale());
      if (design.qkNorm === 'head') value = this.rmsNorm(this.flat(value, [headDim]), scale());
      return this.rotated(this.split(value, count * headDim, shared), count, window > 0, shared);
    };
    const values = this.split(linear('v', entering), kvHeads * headDim, shared);
    const attributes: Record<string, OnnxAttribute> = {
      num_heads: int(heads), kv_num_heads: int(kvHeads), scale: float(design.attentionScale ?? 1 / Math.sqrt(headDim)),
      ...(design.attentionCap === null ? {} : { softcap: float(design.attentionCap) }),
      ...(window === 0 ? {} : { local_window_size: int(window) }),
    };
    const inputs = [looking('q', heads), looking('k', kvHeads), values, ...past, shared.last, shared.total];
    const outputs = [`layers.${layer}.attention`, layerName(ONNX_NAMES.presentKey, layer), layerName(ONNX_NAMES.presentValue, layer)];
    const [mixed = ''] = builder.nodeOf('GroupQueryAttention', inputs, outputs, { ...MICROSOFT, attributes });
    return this.flat(mixed, [heads * headDim]);
  }

  /** Heads [B, T, n*D] turned by their positions. */
  private rotated(value: string, count: number, isLocal: boolean, { positions }: Shared): string {
    const { design, headDim, rope } = this.config;
    const width = rotaryWidthOf(design, headDim);
    if (width === 0) return value;
    const { cosines, sines } = this.weights.rotary(isLocal ? (design.localRope ?? rope) : rope, width / 2);
    const partly = width === headDim ? {} : { rotary_embedding_dim: int(width) };
    return this.builder.node('RotaryEmbedding', [value, positions, cosines, sines], { ...MICROSOFT, attributes: { num_heads: int(count), ...partly } });
  }

  private norm(value: string, weight: (part: 'scale' | 'bias') => string): string {
    const { builder, config } = this;
    if (config.design.norm === 'rms') return this.rmsNorm(value, weight('scale'));
    const ones = (): string => builder.constant('ones', 'float32', [config.hidden], Array.from({ length: config.hidden }, () => 1));
    const weights = config.design.norm === 'layer' ? [weight('scale'), weight('bias')] : [ones()];
    return builder.node('LayerNormalization', [value, ...weights], { attributes: { axis: int(-1), epsilon: float(config.rmsEpsilon) } });
  }

  private rmsNorm(value: string, scale: string): string {
    return this.builder.node('SimplifiedLayerNormalization', [value, scale], { attributes: { axis: int(-1), epsilon: float(this.config.rmsEpsilon) } });
  }

  private activated(value: string): string {
    switch (this.config.design.activation) {
      case 'silu':
        return this.builder.node('Mul', [value, this.builder.node('Sigmoid', [value])]);
      case 'gelu':
        return this.builder.node('Gelu', [value], MICROSOFT);
      case 'geluTanh':
        return this.builder.node('FastGelu', [value], MICROSOFT);
    }
  }

  private capped(value: string, cap: number | null): string {
    if (cap === null) return value;
    const bent = this.builder.node('Tanh', [this.builder.node('Mul', [value, this.number(1 / cap)])]);
    return this.builder.node('Mul', [bent, this.number(cap)]);
  }

  /** [N, width], or rows of another width, as [B, T, width]. */
  private split(value: string, width: number, { shape }: Shared, name?: string): string {
    const tail = this.builder.constant(`int64:[${width}]`, 'int64', [1], [width]);
    const known = `shape.${width}`;
    if (!this.shapes.has(known)) this.builder.node('Concat', [shape, tail], { attributes: { axis: int(0) }, name: known });
    this.shapes.add(known);
    return this.builder.node('Reshape', [value, known], name === undefined ? {} : { name });
  }

  private readonly shapes = new Set<string>();

  /** All leading axes as one, before `widths`. */
  private flat(value: string, widths: readonly number[]): string {
    const shape = [-1, ...widths];
    return this.builder.node('Reshape', [value, this.builder.constant(`int64:[${shape.join()}]`, 'int64', [shape.length], shape)]);
  }

  private number(value: number): string {
    return this.builder.constant(`float32:${value}`, 'float32', [], [value]);
  }
}
