/**
 * The config.json of a written model: the source's own settings where it has them, with the widths that the model has
 * now, and the code that transformers needs where layers differ in width.
 */
import type { JsonObject } from '../formats/json';
import type { Checkpoint } from '../model/checkpoint';
import type { LayerShape, ModelConfig } from '../model/config';
import type { Family } from '../model/families/family';
import { PER_LAYER_ARCHITECTURE, biasSettings, huggingfaceFamilyFor, isUniform } from '../model/families/index';
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
  const own = source.metadata.kind === 'huggingface' ? source.metadata.config : settingsFromScratch(config);
  const kept = Object.fromEntries(Object.entries(own).filter(([key]) => !LAYOUT_SETTINGS.has(key)));
  // Classes that check the head count check only this one; the modelling file sets each layer's own.
  const stated = config.layers.find((layer) => config.hidden % layer.heads === 0) ?? config.layers[0] ?? { heads: 0, kvHeads: 0, ffn: 0 };
  const uniform = isUniform(config);
  const isOther = family.name !== source.config.family;
  const settings: JsonObject = {
    ...kept,
    architectures: [uniform ? family.huggingface.architecture : PER_LAYER_ARCHITECTURE],
    model_type: family.huggingface.modelType,
    vocab_size: config.vocabulary,
    hidden_size: config.hidden,
    num_hidden_layers: config.layers.length,
    ...widthSettings(stated),
    head_dim: config.headDim,
    ...biases,
    // A family that can slide its window must be told not to when the model comes from one that cannot.
    ...(isOther && family.huggingface.slidingWindowDefault !== null ? { sliding_window: null } : {}),
    ...(isOther && family.huggingface.slidingWindowSwitch !== null
      ? { [family.huggingface.slidingWindowSwitch]: false }
      : {}),
    tie_word_embeddings: config.tied,
    // The older spelling is read by every version of transformers, the newer one only by recent ones.
    ['dtype' in own ? 'dtype' : 'torch_dtype']: TORCH_TYPES[dtype],
    ...(uniform ? {} : perLayerSettings(config)),
  };
  return { config: settings, family, code: uniform ? null : { name: `${CODE_MODULE}.py`, text: modellingCode(family) } };
}

function widthSettings({ heads, kvHeads, ffn }: LayerShape): JsonObject {
  return { num_attention_heads: heads, num_key_value_heads: kvHeads, intermediate_size: ffn };
}

function perLayerSettings(config: ModelConfig): JsonObject {
  return {
    auto_map: { AutoModelForCausalLM: `${CODE_MODULE}.${PER_LAYER_ARCHITECTURE}` },
    layer_widths: {
      num_attention_heads: config.layers.map((layer) => layer.heads),
      num_key_value_heads: config.layers.map((layer) => layer.kvHeads),
      intermediate_size: config.layers.map((layer) => layer.ffn),
    },
  };
}

/** What a model that comes from a GGUF file needs to say. */
function settingsFromScratch(config: ModelConfig): JsonObject {
  const { theta, scaling } = config.rope;
  if (scaling?.['rope_type'] === 'factors') {
    throw new UnsupportedError('The model has rotary factors of its own, which config.json cannot state.', {
      hint: 'Export as GGUF instead.',
      details: { feature: 'rope_freqs', found: 'other factors than those of Llama 3' },
    });
  }
  return {
    hidden_act: 'silu',
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.rmsEpsilon,
    rope_theta: theta,
    rope_scaling: scaling,
    bos_token_id: config.bosId,
    eos_token_id: config.eosIds.length > 1 ? config.eosIds : (config.eosIds[0] ?? null),
    use_cache: true,
  };
}

/** Builds the stock model and puts layers with widths of their own in place of its layers. */
function modellingCode({ huggingface }: Family): string {
  const { pythonClass, pythonModule } = huggingface;
  return `"""A ${pythonClass} model whose layers differ in width, as config.json lists under "layer_widths".

Load it with AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True).
A static key/value cache is not supported: it would need one size for all layers.
"""

import copy

from ${pythonModule} import ${pythonClass}DecoderLayer, ${pythonClass}ForCausalLM


class ${PER_LAYER_ARCHITECTURE}(${pythonClass}ForCausalLM):
    def __init__(self, config):
        super().__init__(config)
        for index in range(config.num_hidden_layers):
            layer_config = copy.deepcopy(config)
            for name, widths in config.layer_widths.items():
                setattr(layer_config, name, widths[index])
            self.model.layers[index] = ${pythonClass}DecoderLayer(layer_config, index)
        self.post_init()
`;
}
