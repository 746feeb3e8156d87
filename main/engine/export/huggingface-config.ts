/**
 * The config.json of a written model: the source's own settings where it has them, with the widths that the model has
 * now, and the code that transformers needs where layers differ in width.
 */
import type { JsonObject } from '../formats/json';
import { encodeJson } from '../model/carried-tokenizer';
import type { Checkpoint } from '../model/checkpoint';
import type { LayerShape, ModelConfig } from '../model/config';
import type { Family } from '../model/families/family';
import { rotaryWidthOf } from '../model/design';
import { PER_LAYER_ARCHITECTURE, biasSettings, huggingfaceFamilyFor, isUniform } from '../model/families/index';
import { ACTIVATION_NAMES } from '../model/read-design';
import { UnsupportedError } from '../support/errors';
import type { WrittenType } from '../tensors/elements';

const CODE_MODULE = 'modeling_shear';
/** Settings that describe how the source was laid out, not what the model is. */
const LAYOUT_SETTINGS = new Set(['layer_widths', 'auto_map', 'architectures', 'torch_dtype', 'dtype']);
const TORCH_TYPES: Readonly<Record<WrittenType, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** config.json, and the modelling file where one is needed. */
export interface WrittenConfig {
  readonly config: JsonObject;
  readonly family: Family;
  /** Name and content of the Python file for layers of different widths; null for stock models. */
  readonly code: { readonly name: string; readonly text: string } | null;
}

/**
 * Describes `config` for transformers. Throws UnsupportedError when none of its classes can hold the model: biases
 * that no family announces, or rotary factors that only GGUF can state.
 */
export function describeForHuggingface(config: ModelConfig, source: Checkpoint, dtype: WrittenType): WrittenConfig {
  const family = huggingfaceFamilyFor(config);
  const biases = family === null ? null : biasSettings(family, config.biases);
  if (family === null || biases === null) {
    throw new UnsupportedError(
      `No model class of transformers has biases on just ${[...config.biases].join(', ')} with these head counts.`,
      { hint: 'Export as GGUF instead.', details: { feature: 'biases', found: [...config.biases] } },
    );
  }
  const own = source.metadata.kind === 'huggingface' ? source.metadata.config : settingsFromScratch(config, family);
  const kept = Object.fromEntries(Object.entries(own).filter(([key]) => !LAYOUT_SETTINGS.has(key)));
  // Classes that check the head count check only this one; the modelling file sets each layer's own.
  const stated = config.layers.find((layer) => config.hidden % layer.heads === 0) ?? config.layers[0] ?? { heads: 0, kvHeads: 0, ffn: 0 };
  const uniform = isUniform(config);
  const isOther = family.name !== source.config.family;
  const settings: JsonObject = {
    ...kept,
    architectures: [uniform ? family.huggingface.architecture : PER_LAYER_ARCHITECTURE],
    model_type: family.huggingface.modelType,
    ...spelled(family, {
      vocab_size: config.vocabulary,
      hidden_size: config.hidden,
      num_hidden_layers: config.layers.length,
      ...widthSettings(stated),
      head_dim: config.headDim,
    }),
    ...biases,
    ...(isOther ? windowsOff(family) : {}),
    tie_word_embeddings: config.tied,
    // The older spelling is read by every version of transformers, the newer one only by recent ones.
    ['dtype' in own ? 'dtype' : 'torch_dtype']: TORCH_TYPES[dtype],
    ...(uniform ? {} : perLayerSettings(config, family)),
  };
  return { config: settings, family, code: uniform ? null : { name: `${CODE_MODULE}.py`, text: modellingCode(family) } };
}

function widthSettings({ heads, kvHeads, ffn }: LayerShape): JsonObject {
  return { num_attention_heads: heads, num_key_value_heads: kvHeads, intermediate_size: ffn };
}

function perLayerSettings(config: ModelConfig, family: Family): JsonObject {
  return {
    auto_map: { AutoModelForCausalLM: `${CODE_MODULE}.${PER_LAYER_ARCHITECTURE}` },
    layer_widths: spelled(family, {
      num_attention_heads: config.layers.map((layer) => layer.heads),
      num_key_value_heads: config.layers.map((layer) => layer.kvHeads),
      intermediate_size: config.layers.map((layer) => layer.ffn),
    }),
  };
}

/** Settings under the family's own names. Its classes have no head counts to state where heads are as the hidden width says. */
function spelled(family: Family, settings: JsonObject): JsonObject {
  const { keepsHeads, huggingface } = family;
  const unknown = keepsHeads ? ['num_key_value_heads', 'head_dim'] : [];
  return Object.fromEntries(Object.entries(settings).flatMap(([key, value]) => (unknown.includes(key) ? [] : [[huggingface.settings[key] ?? key, value]])));
}

/** A family that can slide its window must be told not to when the model comes from one that cannot. */
function windowsOff({ huggingface: { defaults } }: Family): JsonObject {
  return {
    ...(Object.hasOwn(defaults, 'sliding_window') ? { sliding_window: null } : {}),
    ...(Object.hasOwn(defaults, 'use_sliding_window') ? { use_sliding_window: false } : {}),
  };
}

/** What a model that comes from a GGUF file needs to say. */
function settingsFromScratch(config: ModelConfig, family: Family): JsonObject {
  const { theta, scaling } = config.rope;
  if (scaling?.['rope_type'] === 'factors') {
    throw new UnsupportedError('The model has rotary factors of its own, which config.json cannot state.', {
      hint: 'Export as GGUF instead.',
      details: { feature: 'rope_freqs', found: 'other factors than those of Llama 3' },
    });
  }
  return {
    ...spelled(family, {
      hidden_act: ACTIVATION_NAMES[config.design.activation],
      max_position_embeddings: config.maxPositions,
      rms_norm_eps: config.rmsEpsilon,
      ...(config.design.learnedPositions ? {} : { rope_theta: theta, rope_scaling: scaling }),
      ...designSettings(config, family),
    }),
    // Some families assume one of their own vocabulary where nothing is stated.
    pad_token_id: null,
    bos_token_id: config.bosId,
    eos_token_id: config.eosIds.length > 1 ? config.eosIds : (config.eosIds[0] ?? null),
    use_cache: true,
  };
}

/** Settings of the block that only some families have, by Llama's names. */
function designSettings({ design, headDim }: ModelConfig, { huggingface: { defaults } }: Family): JsonObject {
  const stated: JsonObject = {
    query_pre_attn_scalar: design.attentionScale === null ? headDim : design.attentionScale ** -2,
    attn_logit_softcapping: design.attentionCap,
    final_logit_softcapping: design.logitCap,
    sliding_window: design.windows.find((window) => window > 0) ?? null,
    layer_types: design.windows.length === 0 ? undefined : design.windows.map((window) => (window > 0 ? 'sliding_attention' : 'full_attention')),
    use_sliding_window: design.windows.length > 0,
    rope_local_base_freq: design.localRope?.theta,
    use_parallel_residual: design.parallel,
    partial_rotary_factor: rotaryWidthOf(design, headDim) / headDim,
  };
  return Object.fromEntries(Object.entries(stated).filter(([key, value]) => Object.hasOwn(defaults, key) && value !== undefined));
}

/** Builds the stock model and puts layers with widths of their own in place of its layers. */
function modellingCode({ huggingface }: Family): string {
  const { pythonClass, pythonModule, pythonLayer, pythonLayers } = huggingface;
  const whole = huggingface.architecture;
  return `"""A ${pythonClass} model whose layers differ in width, as config.json lists under "layer_widths".

Load it with AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True).
A static key/value cache is not supported: it would need one size for all layers.
"""

import copy

from ${pythonModule} import ${pythonLayer}, ${whole}


class ${PER_LAYER_ARCHITECTURE}(${whole}):
${huggingface.pythonHead === null ? '' : renamingCode(huggingface.pythonHead)}    def __init__(self, config):
        super().__init__(config)
        for index in range(config.num_hidden_layers):
            layer_config = copy.deepcopy(config)
            for name, widths in config.layer_widths.items():
                setattr(layer_config, name, widths[index])
            self.${pythonLayers}[index] = ${pythonLayer}(layer_config, index)
        self.post_init()
`;
}

/** Newer versions call the head otherwise than files do, and rename it for their own classes alone. */
function renamingCode({ stored, attribute }: NonNullable<Family['huggingface']['pythonHead']>): string {
  return `    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        if "${attribute}.weight" in cls._tied_weights_keys:
            kwargs.setdefault("key_mapping", {r"^${stored}\\.": "${attribute}."})
        return super().from_pretrained(*args, **kwargs)

`;
}

/** config.json as text. transformers checks types: where it wants a float, a whole number must not look like an integer. */
export function encodeConfig(config: JsonObject): Uint8Array {
  const text = new TextDecoder().decode(encodeJson(config));
  return new TextEncoder().encode(text.replaceAll(/^(\s*"(?:attn_logit_softcapping|final_logit_softcapping|clip_qkv)": -?\d+)(,?)$/gm, '$1.0$2'));
}
