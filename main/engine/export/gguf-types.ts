/**
 * Which element type each weight of a GGUF file gets. The file types are llama.cpp's as data (src/llama-quant.cpp): a type
 * for most matrices, a finer one for those that suffer most, and another where rows are no whole blocks. Vectors are F32.
 */
import { blockElements, encodedBytes, isBlockType, type GgufWrittenType } from '../formats/gguf/blocks';
import type { GlobalRole, LayerRole, ModelConfig } from '../model/config';
import { familyNamed, isUniform, perLayerGgufFor } from '../model/families/index';
import { globalWeightShape, layerWeightShape } from '../model/match-tensors';
import { globalRoles, layerRoles } from '../model/view';
import { elementCount } from '../tensors/shape';
import type { WeightTypes } from './verify';

/** Whether a layer is among those that get more bits. */
type Which = (layer: number, layers: number) => boolean;

interface FileTypeRule {
  /** `general.file_type` (llama.h, enum llama_ftype). */
  readonly number: number;
  readonly base: GgufWrittenType;
  /** Finer types of the matrices that suffer most, in some layers. */
  readonly finer?: Readonly<Partial<Record<'v' | 'down', { readonly type: GgufWrittenType; readonly in: Which }>>>;
}

/** The first and last eighth of the layers, and every third between. */
const spread: Which = (layer, layers) => {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
};
const firstEighth: Which = (layer, layers) => layer < Math.floor(layers / 8);
const firstFour: Which = (layer) => layer < 4;

const FILE_TYPES = {
  F32: { number: 0, base: 'F32' },
  F16: { number: 1, base: 'F16' },
  BF16: { number: 32, base: 'BF16' },
  Q8_0: { number: 7, base: 'Q8_0' },
  Q6_K: { number: 18, base: 'Q6_K' },
  Q5_K_M: { number: 17, base: 'Q5_K', finer: { v: { type: 'Q6_K', in: spread }, down: { type: 'Q6_K', in: spread } } },
  Q5_K_S: { number: 16, base: 'Q5_K' },
  Q5_1: { number: 9, base: 'Q5_1' },
  Q5_0: { number: 8, base: 'Q5_0' },
  Q4_K_M: { number: 15, base: 'Q4_K', finer: { v: { type: 'Q6_K', in: spread }, down: { type: 'Q6_K', in: spread } } },
  Q4_K_S: { number: 14, base: 'Q4_K', finer: { v: { type: 'Q5_K', in: firstFour }, down: { type: 'Q5_K', in: firstEighth } } },
  Q4_1: { number: 3, base: 'Q4_1' },
  Q4_0: { number: 2, base: 'Q4_0' },
} as const satisfies Readonly<Record<string, FileTypeRule>>;

/** A file type by llama.cpp's name. */
export type GgufFileType = keyof typeof FILE_TYPES;

/** What stands in for a type where rows are no whole blocks of it; where that does not fit either, F16. */
const FALLBACKS: Readonly<Partial<Record<GgufWrittenType, GgufWrittenType>>> = { Q4_K: 'Q5_0', Q5_K: 'Q5_1', Q6_K: 'Q8_0' };

/** Models of 80 layers whose query heads share keys are llama.cpp's "70B": their v is so small that it gets more bits. */
const LAYERS_OF_70B = 80;

/** The type that a weight has in a file, and the one it would have if its rows were whole blocks. */
export interface ChosenType {
  readonly type: GgufWrittenType;
  readonly wanted: GgufWrittenType;
}

function ruleOf(fileType: GgufFileType): FileTypeRule {
  return FILE_TYPES[fileType];
}

/** The number of a file type, for `general.file_type`. */
export function fileTypeNumber(fileType: GgufFileType): number {
  return ruleOf(fileType).number;
}

/** Whether a file type stores matrices in blocks. */
export function isQuantised(fileType: GgufFileType): boolean {
  return isBlockType(ruleOf(fileType).base);
}

/** The type of a weight outside the layers. The head, or the embedding that serves as one, is kept finer; what is neither is kept whole. */
export function globalType(config: ModelConfig, role: GlobalRole, fileType: GgufFileType): ChosenType {
  const { base } = ruleOf(fileType);
  // llama.cpp keeps these whole: they are small, and added to every token.
  if (role === 'positions') return { type: 'F32', wanted: 'F32' };
  const isHead = role === 'head' || (role === 'embedding' && config.tied);
  const shape = globalWeightShape(config, role);
  if (!isBlockType(base)) return fitting(shape, base);
  if (!isHead) return fitting(shape, role === 'embedding' ? base : 'F32');
  const isWhole = config.hidden % blockElements(base) === 0;
  return fitting(shape, base === 'Q8_0' || !isWhole ? 'Q8_0' : 'Q6_K');
}

/** The type of a weight of a layer. */
export function layerType(config: ModelConfig, layer: number, role: LayerRole, fileType: GgufFileType): ChosenType {
  const { base, finer } = ruleOf(fileType);
  const rule = role === 'down' || (role === 'v' && !isFused(config, role)) ? finer?.[role] : undefined;
  const chosen = rule?.in(layer, config.layers.length) === true ? rule.type : base;
  const { heads, kvHeads } = config.layers[layer] ?? { heads: 0, kvHeads: 0 };
  const isSmallV = role === 'v' && config.layers.length === LAYERS_OF_70B && heads > kvHeads;
  return fitting(layerWeightShape(config, layer, role), isSmallV && chosen === 'Q4_K' ? 'Q5_K' : chosen);
}

/** Weights that share a matrix share its type. */
function isFused(config: ModelConfig, role: 'v'): boolean {
  const family = (isUniform(config) ? null : perLayerGgufFor(config)?.family) ?? familyNamed(config.family);
  return family.gguf.names.fused?.some(({ roles }) => roles.includes(role)) === true;
}

function fitting(shape: readonly number[], wanted: GgufWrittenType): ChosenType {
  const [, width] = shape;
  if (width === undefined) return { type: 'F32', wanted: 'F32' };
  const type = [wanted, FALLBACKS[wanted]].find((one) => one !== undefined && width % blockElements(one) === 0);
  return { type: type ?? 'F16', wanted };
}

interface ChosenWeight extends ChosenType {
  readonly role: string;
  readonly shape: readonly number[];
}

function allWeights(config: ModelConfig, fileType: GgufFileType): ChosenWeight[] {
  return [
    ...globalRoles(config).map((role) => ({ role, shape: globalWeightShape(config, role), ...globalType(config, role, fileType) })),
    ...config.layers.flatMap((_, layer) =>
      layerRoles(config).map((role) => ({ role, shape: layerWeightShape(config, layer, role), ...layerType(config, layer, role, fileType) })),
    ),
  ];
}

/** The types of all weights of a configuration in a file type. */
export function ggufTypes(config: ModelConfig, fileType: GgufFileType): WeightTypes {
  return {
    scalesLessOne: false,
    global: (role) => globalType(config, role, fileType).type,
    layer: (layer, role) => layerType(config, layer, role, fileType).type,
  };
}

/**
 * Bytes of all weights of a configuration in a file type, exactly; the file's header and padding come on top. With
 * `areWidthsOdd`, as if no feed-forward width were whole blocks: what to expect where each layer gets a width of its own.
 */
export function ggufWeightBytes(config: ModelConfig, fileType: GgufFileType, areWidthsOdd = false): number {
  return allWeights(config, fileType).reduce((sum, { role, type, shape }) => {
    return sum + encodedBytes(areWidthsOdd && role === 'down' && isBlockType(type) ? 'F16' : type, elementCount(shape));
  }, 0);
}

/** What feed-forward widths should be a multiple of, so that no matrix is kept from a file type's blocks altogether. */
export function widthStep(fileType: GgufFileType): number {
  const { base } = ruleOf(fileType);
  return blockElements(FALLBACKS[base] ?? base);
}

/** Sentences for people about the weights whose rows do not fit their type; none where all fit. */
export function describeFallbacks(config: ModelConfig, fileType: GgufFileType): string[] {
  const groups = new Map<string, { readonly roles: Map<string, number>; readonly weight: ChosenWeight }>();
  for (const weight of allWeights(config, fileType)) {
    if (weight.type === weight.wanted) continue;
    const key = `${weight.wanted} ${weight.type} ${weight.shape[1] ?? 0}`;
    const group = groups.get(key) ?? { roles: new Map<string, number>(), weight };
    group.roles.set(weight.role, (group.roles.get(weight.role) ?? 0) + 1);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ roles, weight: { wanted, type, shape } }) => {
    const names = [...roles].map(([role, count]) => (count === 1 ? role : `${role} of ${count} layers`)).join(', ');
    return `Stored as ${type} instead of ${wanted}, whose blocks of ${blockElements(wanted)} do not fit rows of ${shape[1] ?? 0} weights: ${names}.`;
  });
}
