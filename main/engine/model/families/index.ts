/** The families that are known, in the order in which they are tried when one has to express a given model. */
import { LINEAR_ROLES, type GlobalRole, type LinearRole, type ModelConfig } from '../config';
import { blockKind, rotaryWidthOf } from '../design';
import { InternalError } from '../../support/errors';
import type { Family, TensorNames } from './family';
import { gemma2 } from './gemma2';
import { gemma3 } from './gemma3';
import { gpt2 } from './gpt2';
import { gptNeox } from './gpt-neox';
import { llama } from './llama';
import { mistral } from './mistral';
import { olmo } from './olmo';
import { olmo2 } from './olmo2';
import { phi3 } from './phi3';
import { qwen2 } from './qwen2';
import { qwen3, qwen3AsOpenElm } from './qwen3';

export const FAMILIES: readonly Family[] = [llama, mistral, qwen2, qwen3, phi3, gemma2, gemma3, olmo, olmo2, gpt2, gptNeox];

/** A GGUF architecture in which every layer may have its own widths, and the family as which its files are read. */
export interface PerLayerGguf {
  readonly architecture: string;
  readonly family: Family;
  /** Whether its output head must be the embedding. */
  readonly isTied: boolean;
}

/**
 * Those that llama.cpp has: `deci` reads interleaved rotary rows and optional biases and serves all with Llama's blocks;
 * `openelm` has norms of queries and keys. They were tried (tests/peers/families.peer.ts).
 */
export const PER_LAYER_GGUFS: readonly PerLayerGguf[] = [
  { architecture: 'deci', family: llama, isTied: false },
  { architecture: 'openelm', family: qwen3AsOpenElm, isTied: true },
];

/** The one that can state a model's blocks; null where none can. */
export function perLayerGgufFor(config: ModelConfig): PerLayerGguf | null {
  const holds = ({ family, isTied }: PerLayerGguf): boolean =>
    computesTheSame(family, { ...config, design: { ...config.design, windows: [] } }) &&
    (config.tied || !isTied) &&
    [...config.biases].every((role) => family.gguf.biases.includes(role));
  return PER_LAYER_GGUFS.find(holds) ?? null;
}

/** The `architectures` and `model_type` of nothing stock: names in config.json that our own per-layer folders use. */
export const PER_LAYER_ARCHITECTURE = 'ShearForCausalLM';

/** The family with this name. */
export function familyNamed(name: string): Family {
  const family = FAMILIES.find((candidate) => candidate.name === name);
  if (family === undefined) throw new InternalError(`No family is called ${name}.`);
  return family;
}

/** Name of a weight outside the layers. Throws InternalError if the family has none of this role. */
export function globalName(names: TensorNames, role: GlobalRole): string {
  const name = names.globals[role];
  if (name === undefined) throw new InternalError(`The family has no name for ${role}.`);
  return name;
}

/** Whether every layer has the same widths. */
export function isUniform(config: ModelConfig): boolean {
  const [first] = config.layers;
  return config.layers.every(
    (layer) => layer.heads === first?.heads && layer.kvHeads === first.kvHeads && layer.ffn === first.ffn,
  );
}

/**
 * The settings (name to value) with which a family's config.json announces these biases, or null if it cannot:
 * biases come in groups there, and each group must be whole or absent.
 */
export function biasSettings(family: Family, biases: ReadonlySet<LinearRole>): Record<string, boolean> | null {
  const announced = new Set<LinearRole>(family.huggingface.fixedBiases);
  const settings: Record<string, boolean> = {};
  for (const [setting, roles] of Object.entries(family.huggingface.optionalBiases)) {
    const isOn = roles.some((role) => biases.has(role));
    settings[setting] = isOn;
    if (isOn) for (const role of roles) announced.add(role);
  }
  return LINEAR_ROLES.every((role) => announced.has(role) === biases.has(role)) ? settings : null;
}

/**
 * The family whose transformers classes can hold this model: its own if possible, else another of the same
 * mathematics (Llama's refuse head counts that do not divide the hidden width; Mistral's do not). Null if none can.
 * Where layers differ, only the head count that the model as a whole states is checked, and any layer's will do.
 */
export function huggingfaceFamilyFor(config: ModelConfig): Family | null {
  const own = familyNamed(config.family);
  const holds = (family: Family): boolean =>
    (family === own || computesTheSame(family, config)) &&
    biasSettings(family, config.biases) !== null &&
    (!family.keepsHeads || config.layers.every((layer) => layer.heads * config.headDim === config.hidden)) &&
    (!family.huggingface.headsMustDivideHidden || config.layers.some((layer) => config.hidden % layer.heads === 0));
  return [own, ...FAMILIES].find(holds) ?? null;
}

/** Whether a family that is not the model's own can stand in for it: the same blocks, whole heads rotated, no windows. */
export function computesTheSame(family: Family, { design, headDim }: ModelConfig): boolean {
  return blockKind(family.design) === blockKind(design) && rotaryWidthOf(design, headDim) === headDim && design.windows.length === 0;
}

/**
 * Whether key/value groups can be removed: not where one norm spans all heads, which would change with them, nor where
 * no program opens a model with fewer heads.
 */
export function canLoseHeads({ family, design }: Pick<ModelConfig, 'family' | 'design'>): boolean {
  return design.qkNorm !== 'all' && !familyNamed(family).keepsHeads;
}
