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

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const BREAKS_AND_SPACES = '|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** Patterns of tiktoken's cl100k kind differ only in how many digits go together. */
function contractionsAndDigits(digits: string): string {
  return `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*${BREAKS_AND_SPACES}`;
}

/** Patterns of tiktoken's o200k kind tell capitals from small letters; they differ in contractions and digits. */
function casedWords(contractions: string, digits: string): string {
  const before = '[^\\r\\n\\p{L}\\p{N}]?';
  const upper = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
  const lower = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
  return (
    `${before}${upper}*${lower}+${contractions}|${before}${upper}+${lower}*${contractions}` +
    `|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*${BREAKS_AND_SPACES}`
  );
}

/** Letters with capitals, as DeepSeek's tokenizer lists them (a part of Unicode's, so no property will do). */
const DEEPSEEK_LETTERS =
  '[A-Za-z\\u00b5\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u01ba\\u01bc-\\u01bf\\u01c4-\\u0293\\u0295-\\u02af\\u0370-\\u0373\\u0376\\u0377' +
  '\\u037b-\\u037d\\u037f\\u0386\\u0388-\\u038a\\u038c\\u038e-\\u03a1\\u03a3-\\u03f5\\u03f7-\\u0481\\u048a-\\u052f\\u0531-\\u0556' +
  '\\u10a0-\\u10c5\\u13a0-\\u13f5\\u13f8-\\u13fd\\u1c90-\\u1cba\\u1cbd-\\u1cbf\\u1d00-\\u1d2b\\u1d6b-\\u1d77\\u1d79-\\u1d9a' +
  '\\u1e00-\\u1f15\\u1f18-\\u1f1d\\u1f20-\\u1f45\\u1f48-\\u1f4d\\u1f50-\\u1f57\\u1f59\\u1f5b\\u1f5d\\u1f5f-\\u1f7d\\u1f80-\\u1fb4' +
  '\\u1fb6-\\u1fbc\\u1fbe\\u1fc2-\\u1fc4\\u1fc6-\\u1fcc\\u1fd0-\\u1fd3\\u1fd6-\\u1fdb\\u1fe0-\\u1fec\\u1ff2-\\u1ff4\\u1ff6-\\u1ffc' +
  '\\u2102\\u2107\\u210a-\\u2113\\u2115\\u2119-\\u211d\\u2124\\u2126\\u2128\\u212a-\\u212d\\u212f-\\u2134\\u2139\\u213c-\\u213f' +
  '\\u2145-\\u2149\\u214e\\u2183\\u2184\\u2c00-\\u2c7b\\u2c7e-\\u2ce4\\u2ceb-\\u2cee\\u2cf2\\u2cf3\\ua640-\\ua66d\\ua680-\\ua69b' +
  '\\ua722-\\ua76f\\ua771-\\ua787\\ua78b-\\ua78e\\uab70-\\uabbf\\ufb00-\\ufb06\\ufb13-\\ufb17\\uff21-\\uff3a\\uff41-\\uff5a' +
  '\\u{10400}-\\u{1044f}\\u{104b0}-\\u{104d3}\\u{104d8}-\\u{104fb}\\u{10c80}-\\u{10cb2}\\u{10cc0}-\\u{10cf2}\\u{118a0}-\\u{118df}' +
  '\\u{1e900}-\\u{1e943}]';
const DEEPSEEK_PUNCTUATION = '[!-/:-~\\uff01-\\uff0f\\uff1a-\\uff5e\\u2018-\\u201f\\u3000-\\u3002]';
/** Chinese, Japanese and Korean as DeepSeek cuts them out. */
const DEEPSEEK_IDEOGRAPHS = '[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+';
const DEEPSEEK_V3_WORDS =
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*' +
  BREAKS_AND_SPACES;
const BLOOM_WORDS = ' ?[^(\\s|.,!?\\u2026\\u3002\\uff0c\\u3001\\u0964\\u06d4\\u060c)]+';

function known(names: readonly string[], json: Readonly<Record<string, unknown>>, rest: { ignoreMerges?: true; addsBos?: true } = {}): GgufPreTokenizer {
  return { names, json, ignoreMerges: rest.ignoreMerges === true, addsBos: rest.addsBos === true };
}

/** All pre-tokenizers that are read; on export the first that does the same is written. */
export const GGUF_PRE_TOKENIZERS: readonly GgufPreTokenizer[] = [
  known(
    ['gpt-2', 'phi-2', 'mpt', 'olmo', 'jais', 'jina-es', 'jina-de', 'jina-v1-en', 'jina-v2-es', 'jina-v2-de', 'jina-v2-code',
      'roberta-bpe', 'gigachat', 'a.x-4.0', 'mellum', 'modern-bert', 'exaone4', 'trillion', 'granite-docling'],
    GPT2,
  ),
  known(
    ['smollm', 'starcoder', 'refact', 'command-r', 'codeshell', 'exaone', 'minerva-7b', 'mellum2'],
    sequence({ type: 'Digits', individual_digits: true }, GPT2),
  ),
  known(
    ['qwen2', 'deepseek-r1-qwen', 'stablelm2', 'megrez', 'hunyuan', 'grok-2', 'solar-open', 'kormo', 'f2llmv2'],
    sequence(split(contractionsAndDigits('\\p{N}')), BYTES),
  ),
  known(
    ['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'falcon-h1', 'pixtral', 'midm-2.0', 'lfm2', 'jina-v5-nano'],
    sequence(split(contractionsAndDigits('\\p{N}{1,3}')), BYTES),
    { ignoreMerges: true, addsBos: true },
  ),
  known(['smaug-bpe', 'dbrx', 'glm4', 'chatglm-bpe'], sequence(split(contractionsAndDigits('\\p{N}{1,3}')), BYTES)),
  known(['tekken'], sequence(split(casedWords('', '\\p{N}')), BYTES), { ignoreMerges: true, addsBos: true }),
  known(['gpt-4o', 'llama4', 'kanana2', 'talkie', 'minimax-m2'], sequence(split(casedWords(`${CONTRACTIONS}?`, '\\p{N}{1,3}')), BYTES)),
  known(
    ['qwen35'],
    sequence(
      split(`${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*${BREAKS_AND_SPACES}`),
      BYTES,
    ),
  ),
  known(
    ['deepseek-llm'],
    sequence(
      split('[\\r\\n]'), split(`\\s?${DEEPSEEK_LETTERS}+`), split(`\\s?${DEEPSEEK_PUNCTUATION}+`), split('\\s+$'),
      split(DEEPSEEK_IDEOGRAPHS), split('\\p{N}+'), BYTES,
    ),
  ),
  known(
    ['deepseek-coder'],
    sequence(split('[\\r\\n]'), split('\\s?\\p{L}+'), split('\\s?\\p{P}+'), split(DEEPSEEK_IDEOGRAPHS), split('\\p{N}'), BYTES),
  ),
  known(
    ['deepseek-v3', 'hunyuan-dense', 'hy_v4', 'joyai-llm'],
    sequence(split('\\p{N}{1,3}'), split('[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+'), split(DEEPSEEK_V3_WORDS), BYTES),
  ),
  known(['falcon'], sequence(split('[\\p{P}\\$\\+<=>\\^~\\|`]+'), split(GPT2_PATTERN), split('[0-9][0-9][0-9]'), BYTES)),
  known(['bloom', 'poro-chat', 'gpt3-finnish'], sequence(split(BLOOM_WORDS), BYTES)),
  known(['viking'], sequence(split(BLOOM_WORDS), split('\\p{N}'), BYTES)),
  known(
    ['seed-coder'],
    sequence(split(`${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+${BREAKS_AND_SPACES}`), BYTES),
  ),
  // What llama.cpp does when a file names none; files made before the key existed rely on it.
  known(['default'], sequence(split('[\\p{P}\\$\\+<=>\\^~\\|]+'), split(GPT2_PATTERN), split('\\p{N}+'), split('[0-9][0-9][0-9]'), BYTES)),
];
