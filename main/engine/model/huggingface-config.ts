/**
 * Reads a Hugging Face config.json, in the older and the newer spellings, into a declared model. Settings that this
 * program computes differently from what the file asks for are refused by name.
 */
import type { JsonObject } from '../formats/json';
import { isJsonObject } from '../formats/json';
import { describeJson } from '../support/describe-value';
import { LINEAR_ROLES, type LinearRole, type Rope } from './config';
import { joinLayers, unevenLayers, type DeclaredModel } from './declared';
import { rotaryWidthOf, type BlockDesign } from './design';
import { FAMILIES, PER_LAYER_ARCHITECTURE } from './families/index';
import type { Family } from './families/family';
import { refuseArchitecture, refuseExperts } from './other-models';
import type { Problems } from './problems';
import { readDesign } from './read-design';
import { plainRope, resolveRope } from './rope';
import { MAX_HEAD_DIM, MAX_LAYERS, Settings } from './settings';

const WHERE = 'config.json';
/** transformers' own default for these families. */
const DEFAULT_POSITIONS = 2048;
/** Settings that change what a block computes, and the one value of each that is implemented. */
const OTHER_MATHEMATICS: readonly (readonly [key: string, only: unknown])[] = [
  ['scale_attn_weights', true], ['scale_attn_by_inverse_layer_idx', false], ['clip_qkv', null],
];

/**
 * The declared model, or null when its family is unknown; everything wrong goes to `problems`.
 * `generation` is generation_config.json, whose end-of-text tokens go before config.json's.
 */
export function readHuggingfaceConfig(
  raw: JsonObject,
  generation: JsonObject | null,
  problems: Problems,
): DeclaredModel | null {
  const family = findFamily(raw, problems);
  if (family === null) return null;
  const { huggingface } = family;
  const widths = raw['layer_widths'];
  const spelled = (key: string): string => huggingface.settings[key] ?? key;
  const settings = new Settings(
    (key) => {
      const name = spelled(key);
      if (isJsonObject(widths) && Object.hasOwn(widths, name)) return widths[name];
      // Only absent settings fall back: null is an answer, such as "no window".
      return Object.hasOwn(raw, name) ? raw[name] : huggingface.defaults[key];
    },
    WHERE,
    problems,
    spelled,
  );
  refuseOtherMathematics(family, settings, problems);

  const count = settings.whole('num_hidden_layers', undefined, MAX_LAYERS);
  const hidden = settings.whole('hidden_size');
  const heads = settings.perLayer('num_attention_heads', count);
  const layers = joinLayers(
    heads,
    settings.perLayer('num_key_value_heads', count, heads),
    settings.perLayer('intermediate_size', count, usualFeedForward(family, hidden, count)),
  );
  for (const layer of unevenLayers(layers)) {
    const shape = layers[layer];
    settings.refuse('num_key_value_heads', `a divisor of the ${shape?.heads ?? 0} heads of layer ${layer}`, shape?.kvHeads ?? null);
  }
  const headDim = settings.whole('head_dim', Math.max(1, Math.floor(hidden / (heads[0] ?? 1))), MAX_HEAD_DIM);
  if (settings.raw('head_dim') === null && hidden % (heads[0] ?? 1) !== 0) {
    settings.refuse('head_dim', `it, because ${hidden} is no multiple of ${heads[0] ?? 1} heads`, null);
  }
  const maxPositions = settings.whole('max_position_embeddings', DEFAULT_POSITIONS);
  const design = readDesign(family, settings, { headDim, count, maxPositions });
  const rotaryWidth = rotaryWidthOf(design, headDim);
  if (rotaryWidth % 2 !== 0) settings.refuse('head_dim', 'an even number', headDim);
  const rope = readRope(settings, rotaryWidth, maxPositions, problems);

  return {
    family,
    design: { ...design, localRope: readLocalRope(family, settings, design, rotaryWidth, problems) },
    names: huggingface.names,
    rotaryRows: 'halfSplit',
    vocabulary: settings.whole('vocab_size'),
    hidden,
    headDim,
    layers,
    rmsEpsilon: settings.positive('rms_norm_eps', 1e-6),
    rope,
    tied: settings.flag('tie_word_embeddings', false),
    biases: declaredBiases(family, settings),
    accountedFor: [],
    maxPositions,
    bosId: tokenIds(settings.raw('bos_token_id'))[0] ?? null,
    eosIds: firstNonEmpty(tokenIds(generation?.['eos_token_id']), tokenIds(settings.raw('eos_token_id'))),
  };
}

function findFamily(raw: JsonObject, problems: Problems): Family | null {
  const modelType = raw['model_type'];
  const architectures = raw['architectures'];
  const [architecture] = Array.isArray(architectures) ? (architectures as unknown[]) : [];
  const byType = architecture === undefined || architecture === PER_LAYER_ARCHITECTURE;
  const family = FAMILIES.find(({ huggingface }) =>
    byType ? huggingface.modelType === modelType : huggingface.architecture === architecture,
  );
  const experts = expertCount(raw);
  const name = architecture ?? modelType;
  if (experts !== null || (family === undefined && typeof name === 'string' && /moe|mixtral/i.test(name))) {
    refuseExperts(name, experts, problems);
    return null;
  }
  if (family !== undefined) return family;
  refuseArchitecture(WHERE, name, FAMILIES.map(({ huggingface }) => huggingface.architecture), problems);
  return null;
}

/** Experts of a layer where config.json states more than one, by the names that the families give that number. */
function expertCount(raw: JsonObject): number | null {
  const stated = ['num_local_experts', 'num_experts', 'n_routed_experts', 'moe_num_experts'].map((key) => raw[key]);
  return stated.find((count): count is number => typeof count === 'number' && count > 1) ?? null;
}

function refuseOtherMathematics(family: Family, settings: Settings, problems: Problems): void {
  const knows = (key: string): boolean => Object.hasOwn(family.huggingface.defaults, key);
  const rotaryShare = settings.raw('partial_rotary_factor');
  if (rotaryShare !== null && rotaryShare !== 1 && !knows('partial_rotary_factor')) {
    problems.error('unsupported-rotary', `${WHERE} asks for partial_rotary_factor ${describeJson(rotaryShare)}; only 1 is implemented for ${family.title}.`);
  }
  for (const [key, only] of OTHER_MATHEMATICS) {
    const value = settings.raw(key) ?? null;
    if (value === only || value === null || !knows(key)) continue;
    problems.error('unsupported-setting', `${WHERE} asks for ${key} ${describeJson(value)}; only ${describeJson(only)} is implemented.`);
  }
}

/** Widths of feed-forward where config.json need not state them. */
function usualFeedForward({ huggingface: { feedForwardFactor } }: Family, hidden: number, count: number): readonly number[] | undefined {
  return feedForwardFactor === undefined ? undefined : Array.from({ length: count }, () => feedForwardFactor * hidden);
}

/** The rotary rules of a model: `rope_parameters`, in newer files by kind of layer, or `rope_scaling` with `rope_theta`. */
function readRope(settings: Settings, width: number, maxPositions: number, problems: Problems): Rope {
  const newer = settings.raw('rope_parameters');
  const older = settings.raw('rope_scaling');
  const stated = isJsonObject(newer) ? newer : isJsonObject(older) ? older : null;
  const full = stated?.['full_attention'];
  return ropeFrom(isJsonObject(full) ? full : stated, settings.positive('rope_theta', 10_000), { settings, width, maxPositions, problems });
}

/** Those of the layers with a window, where the family has two kinds; null where all layers turn alike. */
function readLocalRope(family: Family, settings: Settings, design: BlockDesign, width: number, problems: Problems): Rope | null {
  if (!Object.hasOwn(family.huggingface.defaults, 'rope_local_base_freq') || design.windows.length === 0) return null;
  const stated = settings.raw('rope_parameters');
  const local = isJsonObject(stated) ? stated['sliding_attention'] : null;
  return ropeFrom(isJsonObject(local) ? local : null, settings.positive('rope_local_base_freq'), { settings, width, maxPositions: null, problems });
}

function ropeFrom(
  scaling: JsonObject | null,
  fallback: number,
  { settings, width, maxPositions, problems }: { settings: Settings; width: number; maxPositions: number | null; problems: Problems },
): Rope {
  const stated = scaling?.['rope_theta'];
  const theta = typeof stated === 'number' && stated > 0 ? stated : fallback;
  const original = settings.raw('original_max_position_embeddings');
  const whole = scaling === null || original === null ? scaling : { ...scaling, original_max_position_embeddings: original };
  try {
    return resolveRope(theta, width, whole, maxPositions);
  } catch (error) {
    problems.caught(error);
    return plainRope(theta, width);
  }
}

function declaredBiases(family: Family, settings: Settings): ReadonlySet<LinearRole> {
  const biases = new Set<LinearRole>(family.huggingface.fixedBiases);
  for (const [setting, roles] of Object.entries(family.huggingface.optionalBiases)) {
    if (settings.flag(setting, false)) for (const role of roles) biases.add(role);
  }
  return new Set(LINEAR_ROLES.filter((role) => biases.has(role)));
}

/** Token ids given as one number, a list, or nothing. */
function tokenIds(value: unknown): readonly number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => Number.isSafeInteger(id) && Number(id) >= 0);
}

function firstNonEmpty(first: readonly number[], second: readonly number[]): readonly number[] {
  return first.length > 0 ? first : second;
}
