/** Parsers of tokenizers: tokenizer.json, tokenizer.model, vocabularies of GGUF files, chat templates. What is read must also run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../main/engine/support/random';
import { renderChat } from '../../main/engine/tokenizer/chat';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { loadTokenizerFromJson } from '../../main/engine/tokenizer/json-tokenizer';
import { tokenizerJsonToGguf } from '../../main/engine/tokenizer/json-to-gguf';
import { loadTokenizerFromSentencePiece, sentencePieceToGguf } from '../../main/engine/tokenizer/sentencepiece-tokenizer';
import { parseJsonObject } from '../../main/engine/formats/json';
import type { Tokenizer } from '../../main/engine/tokenizer/tokenizer';
import { readCompressedJson, vocabularyMetadata } from '../support/tokenizer-data';
import { damageBytes, pick } from './bytes';
import { damageJson } from './json';
import { exampleFile } from './samples';
import type { FuzzTarget } from './target';

const SMALL_BYTES = 1 << 16;
/** Room for the ids that a written vocabulary may leave unused, eight bytes each, and as many again. */
const VOCABULARY_BYTES = 1 << 20;
const MOST_MS = 1000;
/** The limit that the interpreter sets itself, and room for the template's own work. */
const MOST_TEMPLATE_MS = 3000;
const SENTENCEPIECE = join(import.meta.dirname, '../golden/data/sentencepiece');
const TEXT = 'Once upon a time,  there was\n\n a Füchslein 123456 <s> 🦊 </s>\t!!! aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac';

/** Reads a text in and out again. */
function useTokenizer(tokenizer: Tokenizer): void {
  const ids = tokenizer.encode(TEXT, { special: true });
  tokenizer.decode(ids);
  for (const id of [0, tokenizer.vocabularySize - 1, tokenizer.bosId ?? 0, ...tokenizer.eosIds]) tokenizer.tokenText(id);
}

interface Bpe {
  readonly model: { readonly vocab: Readonly<Record<string, number>>; readonly merges: readonly unknown[] };
}

/** The first tokens of a large vocabulary, with the merges among them: enough to run, small enough for many rounds. */
function shortened(json: unknown, tokens: number): unknown {
  const whole = json as Bpe & Readonly<Record<string, unknown>>;
  const vocab = Object.fromEntries(Object.entries(whole.model.vocab).filter(([, id]) => id < tokens));
  const isKnown = (merge: unknown): boolean => {
    const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ') : (merge as readonly string[]);
    return left in vocab && right in vocab && left + right in vocab;
  };
  return { ...whole, model: { ...whole.model, vocab, merges: whole.model.merges.filter(isKnown) } };
}

const MORE_STEPS = {
  normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }, { type: 'Strip', strip_left: true, strip_right: false }, { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' }, { type: 'Prepend', prepend: '▁' }] },
  pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+" }, behavior: 'Isolated', invert: false }, { type: 'Digits', individual_digits: true }, { type: 'Punctuation' }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' }] },
  post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], special_tokens: {} },
  decoder: { type: 'Sequence', decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }] },
};

const tokenizerJson: FuzzTarget = {
  name: 'tokenizer-json',
  fixedBytes: VOCABULARY_BYTES,
  mostMs: MOST_MS,
  async prepare() {
    const example = JSON.parse(readFileSync(exampleFile('tokenizer.json'), 'utf8')) as object;
    const unigram = {
      ...MORE_STEPS, added_tokens: [{ id: 0, content: '<s>', special: true }],
      model: { type: 'Unigram', unk_id: 1, byte_fallback: false, vocab: [['<s>', 0], ['<unk>', 0], ...Array.from('▁abcdefghijklmnopqrstuvwxyz', (letter, index) => [letter, -index])] },
    };
    const neox = shortened(readCompressedJson('gpt-neox.tokenizer.json.gz'), 300);
    const seeds = [shortened(example, 320), { ...(shortened(example, 320) as object), ...MORE_STEPS }, unigram, neox].map((json) => Buffer.from(JSON.stringify(json)));
    const config = Buffer.from('{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": true, "chat_template": "{{ bos_token }}", "added_tokens_decoder": {"330": {"content": "<x>", "lstrip": true}}}');
    return (random) => {
      const seed = pick(random, seeds);
      const bytes = damageParts(seed, random);
      const settings = random.nextInteger(4) === 0 ? damageJson(config, random) : config;
      return {
        bytes: bytes.length + settings.length,
        use: () => {
          const [json, beside] = [parseJsonObject(bytes, 'tokenizer.json'), parseJsonObject(settings, 'tokenizer_config.json')];
          useTokenizer(loadTokenizerFromJson(json, beside));
          tokenizerJsonToGguf(json, beside, 400);
        },
      };
    };
  },
};

/** Half of the damage goes to the steps, which are small beside the vocabulary. */
function damageParts(seed: Buffer, random: Random): Buffer {
  if (random.nextInteger(2) === 0) return damageJson(seed, random);
  const { model, ...steps } = JSON.parse(seed.toString('utf8')) as { readonly model: unknown };
  const damaged = damageJson(Buffer.from(JSON.stringify(steps)), random).toString('utf8');
  const end = damaged.lastIndexOf('}');
  return Buffer.from(`${damaged.slice(0, Math.max(0, end))},"model":${JSON.stringify(model)}}`);
}

const sentencePiece: FuzzTarget = {
  name: 'tokenizer-model',
  fixedBytes: VOCABULARY_BYTES,
  mostMs: MOST_MS,
  async prepare() {
    const seeds = ['bpe', 'unigram-spans'].map((name) => readFileSync(join(SENTENCEPIECE, `${name}.model`)));
    return (random) => {
      const seed = pick(random, seeds);
      // Two times of three where the settings are: the message's end.
      const from = random.nextInteger(3) === 0 ? 0 : Math.max(0, seed.length - 600);
      const bytes = Buffer.concat([seed.subarray(0, from), damageBytes(seed.subarray(from), random)]);
      return {
        bytes: bytes.length,
        use: () => {
          useTokenizer(loadTokenizerFromSentencePiece(bytes, null));
          sentencePieceToGguf(bytes, null);
        },
      };
    };
  },
};

const ODD_METADATA: readonly unknown[] = [
  0, -1, 1, 2 ** 32 - 1, 2 ** 53, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2n ** 60n, true, '', 'llama', 'gpt2', 't5', 'gemma4', '\ud800', [], [''], ['a', 'a'], [[]], [true], [1],
  new Uint8Array(0), Uint8Array.of(255, 255, 255, 255), Float32Array.of(Number.NaN), Int32Array.of(-1, 7), BigUint64Array.of(2n ** 64n - 1n), Float64Array.of(1e308),
];

type Metadata = Map<string, unknown>;

/** The first tokens of a GGUF vocabulary. */
function shortMetadata(name: 'smollm2' | 'gpt2' | 'phi3', tokens: number): Metadata {
  const whole = vocabularyMetadata(name);
  const list = whole.get('tokenizer.ggml.tokens') as readonly string[];
  const known = new Set(list.slice(0, tokens));
  return new Map([...whole].map(([key, value]): [string, unknown] => {
    if (key === 'tokenizer.ggml.merges') {
      const merges = value as readonly string[];
      return [key, merges.filter((merge) => {
        const [left = '', right = ''] = merge.split(' ');
        return known.has(left) && known.has(right) && known.has(left + right);
      })];
    }
    return [key, Array.isArray(value) && value.length === list.length ? value.slice(0, tokens) : value];
  }));
}

function damageMetadata(seed: Metadata, random: Random): Metadata {
  const metadata = new Map(seed);
  for (let left = 1 + random.nextInteger(3); left > 0; left--) {
    if (metadata.size === 0) break;
    const key = pick(random, [...metadata.keys()]);
    const value = metadata.get(key);
    const way = random.nextInteger(5);
    if (way === 0) metadata.delete(key);
    else if (Array.isArray(value) && way > 1) {
      const list = [...(value as readonly unknown[])];
      const at = random.nextInteger(list.length + 1);
      if (way === 2) list.splice(at, random.nextInteger(4), ...(random.nextInteger(2) === 0 ? [pick(random, ODD_METADATA)] : []));
      else list[at] = way === 3 && list.length > 0 ? pick(random, list) : pick(random, ODD_METADATA);
      metadata.set(key, list);
    } else metadata.set(key, pick(random, ODD_METADATA));
  }
  return metadata;
}

const ggufVocabulary: FuzzTarget = {
  name: 'gguf-vocabulary',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_MS,
  async prepare() {
    const bytes = readFileSync(join(SENTENCEPIECE, 'unigram-spans.model'));
    const unigram: Metadata = new Map([...sentencePieceToGguf(bytes, null)].map(([key, entry]) => [key, entry.value]));
    const seeds = [shortMetadata('smollm2', 300), shortMetadata('phi3', 330), shortMetadata('gpt2', 300), unigram];
    const size = new Map(seeds.map((seed) => [seed, JSON.stringify([...seed]).length]));
    return (random) => {
      const seed = pick(random, seeds);
      const metadata = damageMetadata(seed, random);
      return { bytes: size.get(seed) ?? 0, use: () => useTokenizer(loadTokenizerFromGguf(metadata)) };
    };
  },
};

/** Words of the language, so that damage makes other templates and not only broken ones. */
const JINJA = [
  '{{', '}}', '{%', '%}', '{#', '#}', '{%-', '-%}', ' for x in ', ' endfor ', ' if ', ' endif ', ' else ', ' set ', ' macro m(a) ', ' endmacro ', 'm(m)', 'messages', 'message', "['content']", '.role',
  'loop', 'range(', '70000', '1e9', '-1', '(', ')', '[', ']', '[::-1]', '{', '}', ' + ', ' ~ ', ' * ', ' ** ', ' // ', ' % ', ' | ', 'tojson', 'join', 'indent(', 'replace(', 'trim', 'length', 'namespace(', 'is defined', ' not ', ' and ', "'", '"',
  'raise_exception(', 'strftime_now(', 'true', 'none', '\\', '\n', ' filter upper ', 'endfilter', ' call(m) m() ', 'endcall', '.items()', '.split(', '.format(', ' in ', 'x'.repeat(200),
];

const chatTemplate: FuzzTarget = {
  name: 'chat-template',
  fixedBytes: SMALL_BYTES,
  mostMs: MOST_TEMPLATE_MS,
  async prepare() {
    const own = (name: 'smollm2' | 'phi3'): string => loadTokenizerFromGguf(vocabularyMetadata(name)).chatTemplate ?? '';
    const seeds = [
      own('smollm2'), own('phi3'),
      "{% set n = namespace(t='', l=[1]) %}{%- for m in messages -%}{% if m.role not in ['user'] %}{{ raise_exception('no') }}{% endif %}{% set n.t = n.t ~ m['content'] | trim %}{% set n.l = n.l + [m] %}{%- endfor -%}{{ bos_token ~ n.t | tojson(indent=2) }}{{ n.l | length }}",
      "{% macro say(a, b=1) %}{{ a * b }}{% endmacro %}{{ say('x', 3) }}{% for i in range(3) %}{{ loop.index }}{{ messages[-1:][0].content.split(' ') | join(',') }}{% endfor %}{{ {'a': 1}.items() | list }}",
    ].map((text) => Buffer.from(text));
    const messages = [{ role: 'user', content: 'Hello  there' }, { role: 'assistant', content: '' }, { role: 'user', content: '{{ x }} 🦊' }];
    return (random) => {
      let bytes: Buffer = pick(random, seeds);
      if (random.nextInteger(4) === 0) bytes = damageBytes(bytes, random);
      else {
        for (let left = 1 + random.nextInteger(4); left > 0; left--) {
          const at = random.nextInteger(bytes.length + 1);
          const gone = random.nextInteger(2) === 0 ? random.nextInteger(12) : 0;
          bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, JINJA).repeat(random.nextInteger(32) === 0 ? 400 : 1)), bytes.subarray(at + gone)]);
        }
      }
      const text = bytes.toString('utf8');
      return { bytes: bytes.length, use: () => renderChat(text, messages, { bos: '<s>', eos: '</s>', addGenerationPrompt: true }) };
    };
  },
};

export const TOKENIZER_TARGETS: readonly FuzzTarget[] = [tokenizerJson, sentencePiece, ggufVocabulary, chatTemplate];
