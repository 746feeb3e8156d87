import { describe, expect, test } from 'vitest';
import { AppError } from '../../main/engine/support/errors';
import { Random } from '../../main/engine/support/random';
import { renderChat } from '../../main/engine/tokenizer/chat';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { tokenizerJsonToGguf } from '../../main/engine/tokenizer/json-to-gguf';
import { loadTokenizerFromJson } from '../../main/engine/tokenizer/json-tokenizer';
import { StreamDecoder } from '../../main/engine/tokenizer/stream-decoder';
import { vocabularyMetadata } from '../support/tokenizer-data';

/** A small tokenizer.json: letters, one merge, one special token, `<s>` in front. */
function tinyJson(changes: Readonly<Record<string, unknown>> = {}, modelChanges: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    added_tokens: [{ id: 4, content: '<s>', special: true }],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }] },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, 'Ġ': 3 }, merges: ['a b'], ...modelChanges },
    ...changes,
  };
}

function errorOf(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const TINY_CONFIG = { bos_token: { content: '<s>' }, eos_token: '<s>' };

describe('a tokenizer from tokenizer.json', () => {
  test('merges, puts the start token first only where asked, and leaves it out of text', () => {
    const tokenizer = loadTokenizerFromJson(tinyJson(), TINY_CONFIG);
    expect(tokenizer.kind).toBe('byte-level BPE');
    expect(tokenizer.vocabularySize).toBe(5);
    expect(tokenizer.bosId).toBe(4);
    expect(tokenizer.eosIds).toEqual([4]);
    expect(tokenizer.encode('ab ba')).toEqual([2, 3, 1, 0]);
    expect(tokenizer.encode('ab', { special: true })).toEqual([4, 2]);
    expect(tokenizer.encode('<s>a')).toEqual([4, 0]);
    expect(tokenizer.decode([4, 2, 3, 1])).toBe('ab b');
    expect(tokenizer.decode([])).toBe('');
  });

  test('lets add_bos_token outrank the post-processor', () => {
    expect(loadTokenizerFromJson(tinyJson(), { ...TINY_CONFIG, add_bos_token: false }).encode('a', { special: true })).toEqual([0]);
    const without = tinyJson({ post_processor: null });
    expect(loadTokenizerFromJson(without, TINY_CONFIG).encode('a', { special: true })).toEqual([0]);
    expect(loadTokenizerFromJson(without, { ...TINY_CONFIG, add_bos_token: true }).encode('a', { special: true })).toEqual([4, 0]);
  });

  test('takes the chat template named default where there are several', () => {
    const config = { chat_template: [{ name: 'tool_use', template: 'T' }, { name: 'default', template: 'D' }] };
    expect(loadTokenizerFromJson(tinyJson(), config).chatTemplate).toBe('D');
  });

  test('keeps tokens with the names of JavaScript properties', () => {
    const vocab: unknown = JSON.parse('{"c": 0, "o": 1, "co": 2, "constructor": 3, "__proto__": 4}');
    const tokenizer = loadTokenizerFromJson(tinyJson({ added_tokens: [], post_processor: null }, { vocab, merges: ['c o'], ignore_merges: true }), null);
    expect(tokenizer.encode('constructor')).toEqual([3]);
    expect(tokenizer.encode('co')).toEqual([2]);
    expect(tokenizer.vocabularySize).toBe(5);
  });

  test('has no text for rows that only pad the vocabulary, and refuses what is no id', () => {
    const tokenizer = loadTokenizerFromJson(tinyJson(), null);
    expect(tokenizer.decode([0, 99])).toBe('a');
    expect(errorOf(() => tokenizer.decode([-1])).code).toBe('text');
  });

  test.each([
    ['a normalizer', { normalizer: { type: 'ByteLevelish' } }, 'ByteLevelish'],
    ['a nested normalizer', { normalizer: { type: 'Sequence', normalizers: [{ type: 'constructor' }] } }, 'constructor'],
    ['a pre-tokenizer', { pre_tokenizer: { type: 'UnicodeScripts' } }, 'UnicodeScripts'],
    ['a decoder', { decoder: { type: 'WordPiece' } }, 'WordPiece'],
    ['a post-processor', { post_processor: { type: 'BertProcessing' } }, 'BertProcessing'],
    ['a model', { model: { type: 'WordPiece', vocab: {} } }, 'WordPiece'],
    ['a pattern', { pre_tokenizer: { type: 'Split', pattern: { Regex: '(?<broken' }, behavior: 'Isolated' } }, 'pattern'],
    ['steps after bytes', { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'ByteLevel' }, { type: 'Digits' }] } }, 'bytes'],
  ])('refuses %s that it does not run, by name', (_what, changes, name) => {
    const error = errorOf(() => loadTokenizerFromJson(tinyJson(changes), null));
    expect(error.code).toBe('unsupported');
    expect(error.message).toContain(name);
  });

  test.each([
    ['no object', 'text', 'the top'],
    ['no model', { added_tokens: [] }, 'model'],
    ['an id that is no number', tinyJson({}, { vocab: { a: 'x' } }), '"a"'],
    ['a list for a vocabulary', tinyJson({}, { vocab: ['a'] }), 'vocab'],
    ['an id beyond all tables', tinyJson({}, { vocab: { a: 2 ** 40 } }), '"a"'],
    ['a merge of one token', tinyJson({}, { merges: ['ab'] }), 'merges[0]'],
    ['a merge of an unknown token', tinyJson({}, { merges: ['a z'] }), '"z"'],
    ['an added token without an id', tinyJson({ added_tokens: [{ content: '<s>' }] }), 'added_tokens'],
    ['a start token that does not exist', tinyJson({ added_tokens: [] }), '"<s>"'],
  ])('reports a file with %s', (_what, json, place) => {
    const error = errorOf(() => loadTokenizerFromJson(json, null));
    expect(error.code).toBe('format');
    expect(error.message).toContain(place);
  });

  test('encodes a very long word in reasonable time', () => {
    const tokenizer = loadTokenizerFromGguf(vocabularyMetadata('smollm2'));
    const text = 'ab'.repeat(100_000);
    const started = performance.now();
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    // Merging by repeated search would take minutes; the bound is loose for slow machines.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('a tokenizer from a GGUF vocabulary', () => {
  test('knows its special tokens and its template', () => {
    const tokenizer = loadTokenizerFromGguf(vocabularyMetadata('smollm2'));
    expect(tokenizer.kind).toBe('byte-level BPE');
    expect(tokenizer.vocabularySize).toBe(49152);
    expect(tokenizer.bosId).toBe(1);
    expect(tokenizer.eosIds).toEqual([2]);
    expect(tokenizer.encode('a<|im_end|>', { special: true })).toEqual([81, 2]);
    expect(tokenizer.chatTemplate).toContain('<|im_start|>');
    const llama = loadTokenizerFromGguf(vocabularyMetadata('phi3', { 'tokenizer.ggml.eot_token_id': 32007 }));
    expect(llama.kind).toBe('SentencePiece BPE');
    expect(llama.eosIds).toEqual([32000, 32007]);
    expect(llama.encode('Hello', { special: true })).toEqual([1, 15043]);
  });

  test('reads numbers from typed arrays as from lists', () => {
    const scores = vocabularyMetadata('phi3').get('tokenizer.ggml.scores');
    const typed = vocabularyMetadata('phi3', { 'tokenizer.ggml.scores': Float32Array.from(scores as number[]) });
    expect(loadTokenizerFromGguf(typed).encode('Hello world')).toEqual([15043, 3186]);
  });

  test('numbers texts that occur twice without losing rows', () => {
    const tokens = ['<unk>', '<s>', '</s>', '▁', 'a', '▁a', '[PAD]', '[PAD]'];
    const tokenizer = loadTokenizerFromGguf(new Map<string, unknown>([
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.scores', [0, 0, 0, -1, -1, -0.5, 0, 0]],
      ['tokenizer.ggml.token_type', [2, 3, 3, 1, 1, 1, 5, 5]],
    ]));
    expect(tokenizer.vocabularySize).toBe(8);
    expect(tokenizer.encode('a a', { special: true })).toEqual([1, 5, 5]);
    expect(tokenizer.decode([1, 5, 5])).toBe('a a');
  });

  test.each([
    ['no vocabulary', { 'tokenizer.ggml.model': undefined }, 'format', 'tokenizer.ggml.model'],
    ['another kind', { 'tokenizer.ggml.model': 'bert' }, 'unsupported', 'bert'],
    ['an unknown pre-tokenizer', { 'tokenizer.ggml.pre': 'elsewhere' }, 'unsupported', 'elsewhere'],
    ['no merges', { 'tokenizer.ggml.merges': undefined }, 'format', 'tokenizer.ggml.merges'],
    ['types for other tokens', { 'tokenizer.ggml.token_type': [1] }, 'format', 'token_type'],
    ['a start token outside', { 'tokenizer.ggml.bos_token_id': 60000 }, 'format', '60000'],
    ['tokens that are no texts', { 'tokenizer.ggml.tokens': [1, 2] }, 'format', 'tokens[0]'],
  ])('reports %s', (_what, changes, code, word) => {
    const error = errorOf(() => loadTokenizerFromGguf(vocabularyMetadata('smollm2', changes)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(word);
  });
});

describe('a vocabulary written for GGUF', () => {
  test('is filled up to the rows of the embedding with unused tokens', () => {
    const entries = tokenizerJsonToGguf(tinyJson(), TINY_CONFIG, 7);
    expect(entries.get('tokenizer.ggml.tokens')?.value).toEqual(['a', 'b', 'ab', 'Ġ', '<s>', '[PAD5]', '[PAD6]']);
    expect(entries.get('tokenizer.ggml.token_type')?.value).toEqual(Int32Array.of(1, 1, 1, 1, 3, 5, 5));
    expect(entries.get('tokenizer.ggml.add_bos_token')?.value).toBe(true);
    expect(entries.get('tokenizer.ggml.bos_token_id')).toEqual({ type: 'uint32', value: 4 });
  });

  test('recognises the same cutting in its other spelling', () => {
    const pattern = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: true };
    const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
    const json = tinyJson({ pre_tokenizer: { type: 'Sequence', pretokenizers: [split, bytes] } }, { ignore_merges: true });
    expect(tokenizerJsonToGguf(json, TINY_CONFIG).get('tokenizer.ggml.pre')?.value).toBe('llama-bpe');
  });

  test.each([
    ['cuts that GGUF has no name for', { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true } }],
    ['a normalizer that changes letters', { normalizer: { type: 'Lowercase' } }],
    ['a tokenizer of neither kind', { pre_tokenizer: { type: 'Whitespace' } }],
  ])('refuses %s', (_what, changes) => {
    const error = errorOf(() => tokenizerJsonToGguf(tinyJson(changes), TINY_CONFIG));
    expect(error.code).toBe('unsupported');
    expect(error.hint).toContain('safetensors');
  });
});

describe('decoding a stream', () => {
  test.each(['smollm2', 'phi3'] as const)('gives the pieces of the whole text with %s, never half a character', (name) => {
    const tokenizer = loadTokenizerFromGguf(vocabularyMetadata(name));
    const text = 'Hello wörld, 日本語 and 🦙👨‍👩‍👧!  Two spaces\n\tand a tab.';
    const ids = tokenizer.encode(text);
    const decoder = new StreamDecoder(tokenizer);
    const pieces = ids.map((id) => decoder.push(id));
    expect(pieces.join('') + decoder.flush()).toBe(text);
    expect(pieces.some((piece) => piece.includes('\uFFFD'))).toBe(false);
    expect(pieces.filter((piece) => piece !== '').length).toBeGreaterThan(10);
  });

  test('shows bytes that never become a character, and an unfinished end', () => {
    const tokenizer = loadTokenizerFromGguf(vocabularyMetadata('phi3'));
    const [, ...llama] = tokenizer.encode('🦙');
    const decoder = new StreamDecoder(tokenizer);
    const first = llama[0] ?? 0;
    expect(decoder.push(first)).toBe('');
    expect(decoder.flush()).toBe('\uFFFD');
    expect(decoder.flush()).toBe('');
    const random = Random.fromSeed(3);
    const noise = Array.from({ length: 500 }, () => 3 + random.nextInteger(256));
    const shown = noise.map((id) => decoder.push(id)).join('') + decoder.flush();
    expect(shown).toContain('\uFFFD');
  });
});

describe('chat templates', () => {
  const messages = [{ role: 'user', content: 'Hello' }];
  const options = { bos: '<s>', eos: '</s>', addGenerationPrompt: true };

  test("renders the models' own templates", () => {
    const smollm = loadTokenizerFromGguf(vocabularyMetadata('smollm2')).chatTemplate ?? '';
    expect(renderChat(smollm, messages, options)).toBe(
      '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' +
        '<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n',
    );
    const phi = loadTokenizerFromGguf(vocabularyMetadata('phi3')).chatTemplate ?? '';
    expect(renderChat(phi, messages, options)).toBe('<s><|user|>\nHello<|end|>\n<|assistant|>\n');
  });

  test('says what a template refuses', () => {
    const template = "{% if messages[0]['role'] != 'system' %}{{ raise_exception('a system message must come first') }}{% endif %}";
    expect(errorOf(() => renderChat(template, messages, options)).message).toContain('a system message must come first');
  });

  test.each([
    ['that is no template', '{% if %}'],
    ['that counts without end', '{% for i in range(1000000000) %}x{% endfor %}'],
    ['that is too long', 'x'.repeat(300_000)],
    ['that loops in loops', `${'{% for i in range(60000) %}'.repeat(4)}x${'{% endfor %}'.repeat(4)}`],
    ['that loops over nothing', `${'{% for i in range(60000) %}'.repeat(3)}${'{% endfor %}'.repeat(3)}`],
    ['that doubles a text', `{% set n = namespace(t='xx') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}`],
    ['that doubles a list', `{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = n.l + n.l %}{% endfor %}`],
    ['that nests lists', `{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l | tojson }}`],
    ['that holds itself', `{% set n = namespace(l=[1]) %}{% set n.l = n %}{{ n | tojson }}`],
    ['that calls itself', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
    ['that indents without end', "{{ 'a\nb' | indent(1000000000) }}"],
    ['of brackets only', `{{${'('.repeat(100_000)}`],
  ])('refuses one %s within seconds', (_what, template) => {
    const started = performance.now();
    expect(errorOf(() => renderChat(template, messages, options)).code).toBe('text');
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  test.each([
    ['a template that loops over its messages', '{% for m in messages %}{{ m.role }}:{{ m.content | trim }}\n{% endfor %}'],
  ])('renders a thousand long messages with %s', (_what, template) => {
    const many = Array.from({ length: 1000 }, (_, index) => ({ role: 'user', content: `${index} ${'word '.repeat(500)}` }));
    expect(renderChat(template, many, options).length).toBeGreaterThan(2_000_000);
  });
});
