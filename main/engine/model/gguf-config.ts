/** Reads the metadata of a GGUF file into a declared model; biases and the tied head are left to its tensors. */
import type { GgufFile } from '../formats/gguf/reader';
import type { GgufValue } from '../formats/gguf/types';
import type { Rope } from './config';
import { joinLayers, unevenLayers, type DeclaredModel } from './declared';
import { rotaryWidthOf, type BlockDesign } from './design';
import { FAMILIES, PER_LAYER_GGUFS, globalName } from './families/index';
import type { Family } from './families/family';
import { adapterRefusal } from './locate';
import { refuseArchitecture, refuseExperts } from './other-models';
import type { Problems } from './problems';
import { plainRope, resolveRope, ropeFromFactors } from './rope';
import { MAX_HEAD_DIM, MAX_LAYERS, Settings } from './settings';

/** The tensor of per-frequency divisors that stretched models carry. */
export const ROPE_FACTORS_NAME = 'rope_freqs.weight';
const DEFAULT_THETA = 10_000;

/** The declared model, or null when its architecture is unknown; everything wrong goes to `problems`. */
export async function readGgufConfig(file: GgufFile, problems: Problems): Promise<DeclaredModel | null> {
  const { metadata } = file;
  const architecture = metadata.get('general.architecture');
  if (metadata.get('general.type') === 'adapter') {
    problems.caught(adapterRefusal('The file', null, file.path));
    return null;
  }
  const experts = typeof architecture === 'string' ? metadata.get(`${architecture}.expert_count`) : undefined;
  if (typeof experts === 'number' && experts > 0) {
    refuseExperts(architecture, experts, problems);
    return null;
  }
  const family = findFamily(architecture);
  if (family === null || typeof architecture !== 'string') {
    const known = new Set([...FAMILIES.map(({ gguf }) => gguf.architecture), ...PER_LAYER_GGUFS.map(({ architecture: name }) => name)]);
    refuseArchitecture('The file', architecture, [...known], problems);
    return null;
  }
  const settings = new Settings((key) => plain(metadata.get(`${architecture}.${key}`)), `The metadata ${architecture}`, problems);
  const count = settings.whole('block_count', undefined, MAX_LAYERS);
  const hidden = settings.whole('embedding_length');
  const heads = settings.perLayer('attention.head_count', count);
  const layers = joinLayers(
    heads,
    settings.perLayer('attention.head_count_kv', count, heads),
    settings.perLayer('feed_forward_length', count),
  );
  for (const layer of unevenLayers(layers)) {
    const shape = layers[layer];
    settings.refuse('attention.head_count_kv', `a divisor of the ${shape?.heads ?? 0} heads of layer ${layer}`, shape?.kvHeads ?? null);
  }
  const clamp = settings.raw('attention.clamp_kqv');
  if (typeof clamp === 'number' && clamp > 0) {
    problems.error('unsupported-setting', `The model limits queries, keys and values to ${clamp}, which this program does not compute.`);
  }
  if ([...file.tensors.keys()].some((name) => name.startsWith('rope_factors_'))) {
    problems.error('unsupported-rotary', 'The model stretches its context by the rule longrope, which is not implemented.');
  }
  const headDim = readHeadDim(settings, hidden, heads[0] ?? 1);
  const embedding = file.tensors.get(globalName(family.gguf.names, 'embedding'));
  const tokens = metadata.get('tokenizer.ggml.tokens');
  const listed = Array.isArray(tokens) ? tokens.length : undefined;

  const sizes = { headDim, hidden, heads: heads[0] ?? 1, count };
  const design = readGgufDesign(family, settings, sizes);
  const rotaryWidth = rotaryWidthOf(design, headDim);
  const localTheta = design.windows.length === 0 ? null : family.gguf.localTheta;

  return {
    family,
    design: { ...design, localRope: localTheta === null ? null : plainRope(settings.positive('rope.freq_base_swa', localTheta), rotaryWidth) },
    names: family.gguf.names,
    rotaryRows: family.gguf.rotaryRows,
    vocabulary: embedding?.shape[0] ?? settings.whole('vocab_size', listed),
    hidden,
    headDim,
    layers,
    rmsEpsilon: shortest(settings.positive(design.norm === 'rms' ? 'attention.layer_norm_rms_epsilon' : 'attention.layer_norm_epsilon')),
    rope: await readRope(file, settings, rotaryWidth, problems),
    tied: null,
    biases: null,
    accountedFor: [ROPE_FACTORS_NAME],
    maxPositions: settings.whole('context_length'),
    bosId: tokenId(metadata.get('tokenizer.ggml.bos_token_id')),
    eosIds: [metadata.get('tokenizer.ggml.eos_token_id'), metadata.get('tokenizer.ggml.eot_token_id')]
      .map(tokenId)
      .filter((id, index, ids): id is number => id !== null && ids.indexOf(id) === index),
  };
}

function findFamily(architecture: unknown): Family | null {
  const perLayer = PER_LAYER_GGUFS.find(({ architecture: name }) => name === architecture);
  return perLayer?.family ?? FAMILIES.find(({ gguf }) => gguf.architecture === architecture) ?? null;
}

function readHeadDim(settings: Settings, hidden: number, heads: number): number {
  const headDim = settings.whole('attention.key_length', Math.max(1, Math.floor(hidden / heads)), MAX_HEAD_DIM);
  const valueDim = settings.whole('attention.value_length', headDim);
  if (valueDim !== headDim) settings.refuse('attention.value_length', `${headDim}, the width of the keys`, valueDim);
  return headDim;
}

/** The family's design with what the file states of it. */
function readGgufDesign(
  family: Family,
  settings: Settings,
  { headDim, hidden, heads, count }: { headDim: number; hidden: number; heads: number; count: number },
): BlockDesign {
  const { design, gguf } = family;
  const { windowPattern: pattern, caps } = gguf;
  const rotated = design.learnedPositions ? 0 : settings.whole('rope.dimension_count', headDim, headDim);
  if (rotated % 2 !== 0) settings.refuse('rope.dimension_count', 'an even number', rotated);
  const window = pattern === null || settings.raw('attention.sliding_window') === null ? null : settings.whole('attention.sliding_window');
  // Where layers with a window turn by a base of their own, they must be known even if the window hides nothing.
  const isWindowed = window !== null && (gguf.localTheta !== null || window < settings.whole('context_length'));
  return {
    ...design,
    rotaryWidth: rotated === headDim ? 'head' : rotated,
    parallel: gguf.statesParallel ? settings.flag('use_parallel_residual', design.parallel) : design.parallel,
    attentionScale: count === gguf.scaledByHiddenAt && hidden !== heads * headDim ? (hidden / heads) ** -0.5 : null,
    attentionCap: caps === null ? design.attentionCap : shortest(settings.positive('attn_logit_softcapping', caps.attention)),
    logitCap: caps === null ? design.logitCap : shortest(settings.positive('final_logit_softcapping', caps.logits)),
    windows: isWindowed && pattern !== null ? Array.from({ length: count }, (_, layer) => ((layer + 1) % pattern === 0 ? 0 : window)) : [],
  };
}

/** `width` entries of a head are rotated. */
async function readRope(file: GgufFile, settings: Settings, width: number, problems: Problems): Promise<Rope> {
  const theta = shortest(settings.positive('rope.freq_base', DEFAULT_THETA));
  const unscaled = plainRope(theta, width);
  try {
    const factors = file.tensors.get(ROPE_FACTORS_NAME);
    if (factors !== undefined) {
      const values = factors.shape.length === 1 && factors.shape[0] === width / 2 ? await factors.readFloat32() : null;
      if (values?.every((factor) => factor > 0) === true) return ropeFromFactors(theta, width, Array.from(values));
      problems.error('wrong-shape', `${ROPE_FACTORS_NAME} should hold ${width / 2} numbers above 0, one per rotary frequency.`);
      return unscaled;
    }
    const type = settings.raw('rope.scaling.type');
    const legacyFactor = settings.raw('rope.scale_linear');
    if (type === null && legacyFactor === null) return unscaled;
    if (type === 'none') return unscaled;
    const factor = settings.positive('rope.scaling.factor', typeof legacyFactor === 'number' ? legacyFactor : undefined);
    if (type !== 'yarn') return resolveRope(theta, width, { rope_type: type ?? 'linear', factor });
    const original = settings.whole('rope.scaling.original_context_length', settings.whole('context_length'));
    const yarn = { rope_type: type, factor, original_max_position_embeddings: original };
    const usual = resolveRope(theta, width, yarn);
    const sharper = settings.positive('rope.scaling.attn_factor', 1);
    return sharper === 1 ? usual : resolveRope(theta, width, { ...yarn, attention_factor: usual.attentionFactor * sharper });
  } catch (error) {
    problems.caught(error);
    return unscaled;
  }
}

/** Arrays of numbers as plain lists, as settings from other files are. */
function plain(value: GgufValue | undefined): unknown {
  return ArrayBuffer.isView(value) ? Array.from<number | bigint, number>(value, Number) : value;
}

function tokenId(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** The shortest decimal that is the same float32: 1e-5 instead of 0.000009999999747378752. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === Math.fround(value)) return candidate;
  }
  return value;
}
