/**
 * Recognises checkpoints whose weights were compressed for running only (GPTQ, AWQ, bitsandbytes, FP8 and others), by
 * what the configuration says or by the tensors alone, and says what to get instead: such weights can neither be cut
 * nor trained.
 */
import { isJsonObject, type JsonObject } from '../formats/json';
import type { StoredTensor } from '../formats/stored-tensor';
import type { Problems } from './problems';

/** Names for people by `quant_method`. */
const METHODS: Readonly<Record<string, string>> = {
  gptq: 'GPTQ', awq: 'AWQ', bitsandbytes: 'bitsandbytes', fp8: '8-bit floating point (FP8)', fbgemm_fp8: '8-bit floating point (FP8)',
  'compressed-tensors': 'compressed-tensors', hqq: 'HQQ', aqlm: 'AQLM', eetq: 'EETQ', quanto: 'Quanto', torchao: 'torchao', mxfp4: 'MXFP4',
};

/** Tensors that a method leaves beside or instead of weights, in the order in which they decide. */
const TRACES: readonly { readonly method: string; readonly name: RegExp }[] = [
  { method: 'GPTQ', name: /\.g_idx$/ },
  { method: 'AWQ', name: /\.qweight$/ },
  { method: 'bitsandbytes', name: /\.weight\.(absmax|quant_map|quant_state\..*)$|\.SCB$/ },
  { method: 'compressed-tensors', name: /\.weight_packed$/ },
  { method: '8-bit floating point (FP8)', name: /\.weight_scale(_inv)?$/ },
];

/**
 * Records that the model is compressed, and by what; answers whether it is. `base` is what the model's card names as
 * its original, null if it names nothing.
 */
export function refuseCompressed(config: JsonObject | null, tensors: ReadonlyMap<string, StoredTensor>, base: string | null, problems: Problems): boolean {
  const method = statedMethod(config) ?? tracedMethod(tensors);
  if (method === null) return false;
  problems.error(
    'unsupported-quantization',
    `The weights are compressed by ${method}, in a form that is made for running only: it can be neither cut nor trained.`,
    `Get the original model instead, whose weights are in BF16, F16 or F32${base === null ? '; the page of this one usually names it' : `: its card names ${base}`}. A GGUF file of it works too.`,
  );
  return true;
}

function statedMethod(config: JsonObject | null): string | null {
  const stated = config?.['quantization_config'];
  if (isJsonObject(stated)) {
    const method = stated['quant_method'];
    if (typeof method !== 'string') return stated['load_in_4bit'] !== undefined || stated['load_in_8bit'] !== undefined ? 'bitsandbytes' : 'an unnamed method';
    const bits = stated['bits'];
    const name = Object.hasOwn(METHODS, method) ? (METHODS[method] ?? method) : method;
    return typeof bits === 'number' ? `${name} (${bits} bits)` : name;
  }
  return isJsonObject(config?.['quantization']) ? 'MLX' : null;
}

function tracedMethod(tensors: ReadonlyMap<string, StoredTensor>): string | null {
  const names = [...tensors.keys()];
  const trace = TRACES.find(({ name }) => names.some((tensor) => name.test(tensor)));
  if (trace !== undefined) return trace.method;
  return [...tensors.values()].some(({ storedType }) => storedType.startsWith('F8_')) ? '8-bit floating point (FP8)' : null;
}
