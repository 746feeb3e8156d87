/**
 * Fills a family's block design in with what a model's config.json states: activation, caps, windows, scale of scores,
 * share of a head that is rotated. A setting counts only where the family's defaults list it; transformers too ignores it elsewhere.
 */
import type { Activation, BlockDesign } from './design';
import type { Family } from './families/family';
import type { Settings } from './settings';

/** Names of activations in config.json (transformers, activations.py). */
const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: 'silu', swish: 'silu', gelu: 'gelu', gelu_new: 'geluTanh', gelu_pytorch_tanh: 'geluTanh', gelu_fast: 'geluTanh', gelu_accurate: 'geluTanh',
};

/** The name of an activation in config.json that transformers knows in all its versions. */
export const ACTIVATION_NAMES: Readonly<Record<Activation, string>> = { silu: 'silu', gelu: 'gelu', geluTanh: 'gelu_pytorch_tanh' };

/** Kinds of layers by how they look back. */
const LAYER_TYPES: readonly string[] = ['full_attention', 'sliding_attention'];

/** The design of a model; everything wrong goes to the problems behind `settings`. */
export function readDesign(
  family: Family,
  settings: Settings,
  sizes: { readonly headDim: number; readonly count: number; readonly maxPositions: number },
): BlockDesign {
  const { design } = family;
  const knows = (key: string): boolean => Object.hasOwn(family.huggingface.defaults, key);
  const cap = (key: string): number | null => (knows(key) && settings.raw(key) !== null ? settings.positive(key) : null);
  const scalar = cap('query_pre_attn_scalar');
  const usual = sizes.headDim ** -0.5;
  const scale = scalar === null ? null : scalar ** -0.5;
  return {
    ...design,
    activation: readActivation(design.activation, settings),
    parallel: knows('use_parallel_residual') ? settings.flag('use_parallel_residual', design.parallel) : design.parallel,
    rotaryWidth: knows('partial_rotary_factor') ? readRotaryWidth(settings, sizes.headDim) : design.rotaryWidth,
    attentionScale: scale === usual ? null : scale,
    attentionCap: cap('attn_logit_softcapping'),
    logitCap: cap('final_logit_softcapping'),
    windows: knows('sliding_window') ? readWindows(family, settings, sizes) : [],
  };
}

function readActivation(usual: Activation, settings: Settings): Activation {
  const name = settings.raw('hidden_act');
  if (name === null) return usual;
  const known = typeof name === 'string' && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (known === undefined) settings.unsupported('hidden_act', 'unsupported-activation', Object.keys(ACTIVATIONS), name);
  return known ?? usual;
}

function readRotaryWidth(settings: Settings, headDim: number): number | 'head' {
  const share = statedShare(settings);
  const width = Math.floor(headDim * share);
  return width >= headDim ? 'head' : width;
}

function statedShare(settings: Settings): number {
  const parameters = settings.raw('rope_parameters');
  const newer: unknown = typeof parameters === 'object' && parameters !== null ? Reflect.get(parameters, 'partial_rotary_factor') : null;
  return typeof newer === 'number' && newer > 0 ? newer : settings.positive('partial_rotary_factor', 1);
}

/** For each layer, how far it looks back; 0 for all the way. Empty where no layer has a window shorter than the context. */
function readWindows(family: Family, settings: Settings, { count, maxPositions }: { count: number; maxPositions: number }): readonly number[] {
  const knows = (key: string): boolean => Object.hasOwn(family.huggingface.defaults, key);
  const isOn = !knows('use_sliding_window') || settings.flag('use_sliding_window', false);
  if (!isOn || settings.raw('sliding_window') === null) return [];
  const window = settings.whole('sliding_window');
  // Where layers with a window turn by a base of their own, they must be known even if the window hides nothing.
  if (window >= maxPositions && !knows('rope_local_base_freq')) return [];
  const types: unknown = settings.raw('layer_types');
  if (Array.isArray(types) && !(types.length === count && types.every((type) => typeof type === 'string' && LAYER_TYPES.includes(type)))) {
    settings.unsupported('layer_types', 'unsupported-layers', LAYER_TYPES, types);
  }
  const pattern = knows('sliding_window_pattern') ? settings.whole('sliding_window_pattern', 1) : null;
  const firstWith = knows('max_window_layers') ? settings.raw('max_window_layers') : 0;
  return Array.from({ length: count }, (_, layer) => {
    const isLocal = Array.isArray(types)
      ? types[layer] === 'sliding_attention'
      : pattern !== null
        ? (layer + 1) % pattern !== 0
        : typeof firstWith !== 'number' || layer >= firstWith;
    return isLocal ? window : 0;
  });
}
