/**
 * What a wished size asks of a model: how a configuration is measured against it, what must not be exceeded, and the
 * words for a size that cannot be reached. Which widths meet it is no concern of this.
 */
import type { ExportTarget, Mode, Size } from '../../../preload/contract/recipe';
import { ggufWeightBytes, layerType, widthStep } from '../export/gguf-types';
import { onnxWeightBytes, onnxWidthStep } from '../export/onnx-types';
import { encodedBytes, isBlockType } from '../formats/gguf/blocks';
import { countLinearParameters, countParameters, layerWeightShape, type ModelConfig } from '../model/config';
import type { UserLocks } from '../pruning/locks';
import { PlanError } from '../support/errors';
import { elementCount } from '../tensors/shape';

/** What must not be exceeded (`keep`), and how a configuration is measured against it. */
export interface Goal {
  readonly keep: number;
  readonly measure: (config: ModelConfig) => number;
  /** `nearest` hits a ratio from either side; `below` never exceeds a size. */
  readonly rounding: 'nearest' | 'below';
  /** Feed-forward widths of all layers alike are multiples of this; beyond 1 the measure goes in steps. */
  readonly widthStep: number;
  /** What layers that lose heads unevenly may measure more than the straight line says: `unevenHeadBytes`, or 0. */
  readonly unevenHeads: number;
  /** The error for a size that cannot be reached; `why` says what stays besides the least of each layer. */
  readonly tooSmall: (smallest: number, why: Kept) => PlanError;
}

/** Why a model cannot lose more, beyond what every layer needs: sentences, and what could be chosen instead. */
export interface Kept {
  readonly notes: readonly string[];
  readonly choices: readonly string[];
}

/** The goal of a wished size. */
export function sizeGoal(config: ModelConfig, size: Size, mode: Mode, target: ExportTarget, locks: UserLocks): Goal {
  const file = mode === 'everywhere' ? (candidate: ModelConfig): number => weightBytes(candidate, target) : oddMeasure(config, target, locks);
  switch (size.kind) {
    case 'ratio':
      return ratioGoal(config, size.ratio, target);
    case 'bytes':
      return limitGoal(config, size.bytes, target, {
        measure: file,
        before: weightBytes(config, target),
        unevenHeads: unevenHeadBytes(config, target),
        words: (smallest) =>
          `This model cannot be made smaller than ${inMegabytes(smallest, 'up')} as ${target.dtype}; ${inMegabytes(size.bytes)} was asked for. ` +
          'Its word table and what has to stay of its layers take that much.',
        choices: ['a larger size', smallerType(target) ?? SMALLER_MODEL],
      });
    case 'parameters':
      return limitGoal(config, size.parameters, target, {
        measure: countParameters,
        before: countParameters(config),
        unevenHeads: 0,
        words: (smallest) =>
          `This model cannot be made smaller than ${asCount(smallest)} parameters; ${asCount(size.parameters)} were asked for. ` +
          'Its word table and what has to stay of its layers have that many.',
        choices: ['a larger number', SMALLER_MODEL],
      });
    case 'memory': {
      const around = (candidate: ModelConfig): number => cacheBytes(candidate, size.context, target) + size.allowance;
      return limitGoal(config, size.bytes, target, {
        measure: (candidate) => file(candidate) + around(candidate),
        before: weightBytes(config, target) + around(config),
        unevenHeads: unevenHeadBytes(config, target),
        words: (smallest) =>
          `This model cannot be made to run in less than ${inMegabytes(smallest, 'up')} of memory as ${target.dtype}; ${inMegabytes(size.bytes)} was asked for. ` +
          `That is its word table and what has to stay of its layers, ${asCount(contextOf(config, size.context))} tokens of text beside them, and ${inMegabytes(size.allowance)} for the program.`,
        choices: ['more memory', 'a shorter text', smallerType(target) ?? SMALLER_MODEL],
      });
    }
  }
}

/** Bytes of a model's weights in an element type, exactly. GGUF keeps vectors (norms, biases) in four bytes. */
export function weightBytes(config: ModelConfig, target: ExportTarget): number {
  if (target.format === 'gguf') return ggufWeightBytes(config, target.dtype);
  if (target.format === 'onnx') return onnxWeightBytes(config, target.dtype);
  return countParameters(config) * (target.dtype === 'F32' ? 4 : 2);
}

/**
 * The same for what `config` becomes where each layer gets a width of its own, which is hardly ever whole blocks: a
 * straight line in the widths. Layers whose feed-forward part is locked keep their blocks.
 */
export function oddMeasure(config: ModelConfig, target: ExportTarget, locks: UserLocks): Goal['measure'] {
  const isLocked = (layer: number): boolean => locks[layer]?.has('mlp') === true;
  if (target.format === 'onnx' && target.dtype === 'INT4') {
    const spared = config.layers.reduce((sum, shape, layer) => {
      const alone = { ...config, layers: [shape] };
      return isLocked(layer) ? sum + onnxWeightBytes(alone, target.dtype, true) - onnxWeightBytes(alone, target.dtype) : sum;
    }, 0);
    return (candidate) => onnxWeightBytes(candidate, target.dtype, true) - spared;
  }
  if (target.format !== 'gguf') return (candidate) => weightBytes(candidate, target);
  const spared = config.layers.reduce((sum, _, layer) => {
    const { type } = layerType(config, layer, 'down', target.dtype);
    const elements = elementCount(layerWeightShape(config, layer, 'down'));
    return isLocked(layer) && isBlockType(type) ? sum + encodedBytes('F16', elements) - encodedBytes(type, elements) : sum;
  }, 0);
  return (candidate) => ggufWeightBytes(candidate, target.dtype, true) - spared;
}

/**
 * Bytes that the o matrices of a GGUF file take more at most when layers keep numbers of heads at which rows are no whole
 * blocks of their type any more: they then get a larger type.
 */
export function unevenHeadBytes(config: ModelConfig, target: ExportTarget): number {
  if (target.format !== 'gguf') return 0;
  const bytesOf = (candidate: ModelConfig, layer: number, elements: number): number => encodedBytes(layerType(candidate, layer, 'o', target.dtype).type, elements);
  return config.layers.reduce((sum, shape, layer) => {
    const elements = elementCount(layerWeightShape(config, layer, 'o'));
    const kept = Array.from({ length: shape.kvHeads }, (_, less) => {
      const kvHeads = shape.kvHeads - less;
      const heads = (shape.heads / shape.kvHeads) * kvHeads;
      return bytesOf({ ...config, layers: config.layers.map((own, at) => (at === layer ? { ...own, kvHeads, heads } : own)) }, layer, elements);
    });
    return sum + Math.max(0, ...kept) - (kept[0] ?? 0);
  }, 0);
}

/**
 * Bytes of the keys and values of a text of `context` tokens, as long as the model reads at most: float16 as llama.cpp
 * keeps them and as transformers does in 16 bits; float32 in our ONNX models and beside float32 weights. Layers that look
 * back no further than a window are counted in full, as programs that do not know windows keep them.
 */
export function cacheBytes(config: ModelConfig, context: number, target: ExportTarget): number {
  const isWide = target.format === 'onnx' || (target.format === 'safetensors' && target.dtype === 'F32');
  const heads = config.layers.reduce((sum, layer) => sum + layer.kvHeads, 0);
  return 2 * heads * config.headDim * contextOf(config, context) * (isWide ? 4 : 2);
}

function contextOf({ maxPositions }: ModelConfig, context: number): number {
  return Math.min(context, maxPositions);
}

function stepOf(target: ExportTarget): number {
  if (target.format === 'onnx') return onnxWidthStep(target.dtype);
  return target.format === 'gguf' ? widthStep(target.dtype) : 1;
}

function ratioGoal(config: ModelConfig, ratio: number, target: ExportTarget): Goal {
  const total = countLinearParameters(config);
  return {
    keep: total * (1 - ratio),
    measure: countLinearParameters,
    rounding: 'nearest',
    widthStep: stepOf(target),
    unevenHeads: 0,
    tooSmall: (smallest, { notes, choices }) => {
      const most = Math.floor((1 - smallest / total) * 1000 + 1e-9) / 10;
      const could = most > 0 ? `can lose at most ${most}% of its layers` : 'can lose nothing';
      return new PlanError([`This model ${could}; ${Math.round(ratio * 1000) / 10}% was asked for.`, ...notes].join(' '), {
        hint: chooseOne([...(most > 0 ? [`${most}% or less`] : []), ...choices]),
        details: { asked: ratio, most: most / 100 },
      });
    },
  };
}

function chooseOne(choices: readonly string[]): string {
  return choices.length === 0 ? `Choose ${SMALLER_MODEL}.` : `Choose ${choices.join(', or ')}.`;
}

/** A goal that is not to be exceeded, in bytes or in parameters. */
function limitGoal(
  config: ModelConfig,
  limit: number,
  target: ExportTarget,
  { measure, before, unevenHeads, words, choices: own }: Pick<Goal, 'measure' | 'unevenHeads'> & { before: number; words: (smallest: number) => string; choices: readonly string[] },
): Goal {
  return {
    // A model that is small enough stays as it is, whatever odd widths would cost.
    keep: before <= limit ? Number.POSITIVE_INFINITY : limit,
    measure,
    rounding: 'below',
    widthStep: stepOf(target),
    unevenHeads,
    tooSmall: (smallest, { notes, choices }) =>
      new PlanError([words(smallest), ...notes].join(' '), {
        hint: chooseOne([...own, ...choices]),
        details: { asked: limit, smallest: Math.ceil(smallest), before },
      }),
  };
}

const SMALLER_MODEL = 'a smaller model to start from';

/** What to choose where an element type is too large. */
function smallerType({ format, dtype }: ExportTarget): string | null {
  if (dtype === 'F32') return 'the element type F16';
  if (format === 'onnx') return dtype === 'F16' ? 'the element type INT4' : null;
  return format === 'gguf' && (dtype === 'F16' || dtype === 'BF16' || dtype === 'Q8_0') ? 'the element type Q4_K_M' : null;
}

/** Rounded up where it is what has to be asked for; kilobytes below one megabyte. */
function inMegabytes(bytes: number, direction: 'up' | 'nearest' = 'nearest'): string {
  const [unit, size] = bytes < 1e6 ? (['kB', 1e3] as const) : (['MB', 1e6] as const);
  const tenths = (10 * bytes) / size;
  return `${((direction === 'up' ? Math.ceil(tenths) : Math.round(tenths)) / 10).toFixed(1)} ${unit}`;
}

function asCount(value: number): string {
  return Math.ceil(value).toLocaleString('en');
}
