/**
 * The pre-tokenizers that GGUF files name instead of describing, as parts of a tokenizer.json. Names and patterns
 * are those that llama.cpp knows (github.com/ggml-org/llama.cpp, src/llama-vocab.cpp), which took them from the
 * models' own tokenizer.json files.
 */
import { GPT2_PATTERN } from './patterns';

/** One pre-tokenizer by its names in `tokenizer.ggml.pre`; the first name is the one written. */
export interface GgufPreTokenizer {
  readonly names: readonly string[];
  /** Value of `pre_tokenizer` in a tokenizer.json. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly ignoreMerges: boolean;
  /** Whether a BOS token comes first where the file does not say (`tokenizer.ggml.add_bos_token`). */
  readonly addsBos: boolean;
}

const BYTES = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
const GPT2 = { ...BYTES, use_regex: true };

function split(pattern: string): Readonly<Record<string, unknown>> {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}

function sequence(...pretokenizers: readonly unknown[]): Readonly<Record<string, unknown>> {
  return { type: 'Sequence', pretokenizers };
}

/** Patterns of tiktoken's cl100k kind differ only in how many digits go together. */
function contractionsAndDigits(digits: string): string {
  return (
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}` +
    '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
  );
}

const TEKKEN_PATTERN =
  '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+' +
  '|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*' +
  '|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** All pre-tokenizers that are read; on export the first that does the same is written. */
export const GGUF_PRE_TOKENIZERS: readonly GgufPreTokenizer[] = [
  { names: ['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'jina-es', 'jina-de', 'jina-v2-code'], json: GPT2, ignoreMerges: false, addsBos: false },
  {
    names: ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b'],
    json: sequence({ type: 'Digits', individual_digits: true }, GPT2),
    ignoreMerges: false,
    addsBos: false,
  },
  {
    names: ['qwen2', 'deepseek-r1-qwen', 'stablelm2'],
    json: sequence(split(contractionsAndDigits('\\p{N}')), BYTES),
    ignoreMerges: false,
    addsBos: false,
  },
  {
    names: ['llama-bpe', 'llama3', 'llama-v3', 'falcon3'],
    json: sequence(split(contractionsAndDigits('\\p{N}{1,3}')), BYTES),
    ignoreMerges: true,
    addsBos: true,
  },
  {
    names: ['smaug-bpe', 'dbrx'],
    json: sequence(split(contractionsAndDigits('\\p{N}{1,3}')), BYTES),
    ignoreMerges: false,
    addsBos: false,
  },
  { names: ['tekken'], json: sequence(split(TEKKEN_PATTERN), BYTES), ignoreMerges: true, addsBos: true },
  {
    // What llama.cpp does when a file names none; files made before the key existed rely on it.
    names: ['default'],
    json: sequence(split('[\\p{P}\\$\\+<=>\\^~\\|]+'), split(GPT2_PATTERN), split('\\p{N}+'), split('[0-9][0-9][0-9]'), BYTES),
    ignoreMerges: false,
    addsBos: false,
  },
];
