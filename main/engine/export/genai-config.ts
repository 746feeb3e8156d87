/** The settings file by which onnxruntime-genai knows a model (onnxruntime.ai, Generate API, configuration reference). */
import { encodeJson } from '../model/carried-tokenizer';
import type { ModelConfig } from '../model/config';
import { ONNX_NAMES } from './onnx-graph';

export const GENAI_CONFIG = 'genai_config.json';

/** Longest text unless the program that opens the model says otherwise: genai takes memory for all of it at once. */
const USUAL_LENGTH = 4096;

/**
 * The file's content. All families are `llama` here: of decoder-only models it says nothing but the names of inputs, and
 * every release knows it. Head counts are those of the largest layer; each layer's own are in the graph, which counts.
 */
export function encodeGenaiConfig(config: ModelConfig, modelFile: string): Uint8Array {
  const most = (pick: (layer: ModelConfig['layers'][number]) => number): number => Math.max(...config.layers.map(pick));
  const { ids, mask, positions, logits } = ONNX_NAMES;
  const [firstEnd = 0] = config.eosIds;
  return encodeJson({
    model: {
      type: 'llama',
      vocab_size: config.vocabulary,
      context_length: config.maxPositions,
      bos_token_id: config.bosId ?? firstEnd,
      eos_token_id: config.eosIds.length > 1 ? config.eosIds : firstEnd,
      pad_token_id: firstEnd,
      decoder: {
        session_options: { log_id: 'onnxruntime-genai', provider_options: [] },
        filename: modelFile,
        head_size: config.headDim,
        hidden_size: config.hidden,
        num_attention_heads: most(({ heads }) => heads),
        num_key_value_heads: most(({ kvHeads }) => kvHeads),
        num_hidden_layers: config.layers.length,
        inputs: { input_ids: ids, attention_mask: mask, position_ids: positions, past_key_names: ONNX_NAMES.pastKey, past_value_names: ONNX_NAMES.pastValue },
        outputs: { logits, present_key_names: ONNX_NAMES.presentKey, present_value_names: ONNX_NAMES.presentValue },
      },
    },
    search: { do_sample: false, max_length: Math.min(config.maxPositions, USUAL_LENGTH), min_length: 0, num_beams: 1, num_return_sequences: 1, past_present_share_buffer: true, repetition_penalty: 1, temperature: 1, top_k: 1, top_p: 1 },
  });
}
