import { describe, expect, test } from 'vitest';
import { Random } from '../../main/engine/support/random';
import { BYTE_CHARACTERS } from '../../main/engine/tokenizer/byte-level';
import { GGUF_PRE_TOKENIZERS } from '../../main/engine/tokenizer/gguf-pre-tokenizers';
import { ggufToTokenizerConfig } from '../../main/engine/tokenizer/gguf-to-json';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { tokenizerJsonToGguf } from '../../main/engine/tokenizer/json-to-gguf';
import { loadTokenizerFromJson } from '../../main/engine/tokenizer/json-tokenizer';
import { StreamDecoder } from '../../main/engine/tokenizer/stream-decoder';
import { errorOf } from '../support/error-of';
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

/** A GGUF vocabulary of the 256 bytes alone. */
function tinyBytes(pre: string): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', BYTE_CHARACTERS],
    ['tokenizer.ggml.merges', []],
    ['tokenizer.ggml.add_bos_token', false],
  ]);
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
    ['two tokens of one id', tinyJson({}, { vocab: { a: 0, b: 0 }, merges: [] }), '"a" and "b" the same id 0'],
    ['a merge whose result is not there', tinyJson({}, { merges: ['a b', 'ab a'] }), '"aba"'],
    ['a Unigram token without a score', tinyJson({ model: { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ['a']] } }), 'vocab[1]'],
    ['an unknown token that is none', tinyJson({ model: { type: 'Unigram', unk_id: 9, vocab: [['<unk>', 0]] } }), 'token 9'],
    ['a damaged table of characters', tinyJson({ normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA/w==' } }), 'precompiled_charsmap'],
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

  test('merges over text by written-out merges where the kind is gemma4', () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    const tokenizer = loadTokenizerFromGguf(new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gemma4'],
      ['tokenizer.ggml.tokens', ['<pad>', '<eos>', '<bos>', '<unk>', '▁', 'a', '▁a', '\n', '\n\n', ...bytes]],
      ['tokenizer.ggml.token_type', [3, 3, 3, 2, 1, 1, 1, 1, 1, ...bytes.map(() => 6)]],
      ['tokenizer.ggml.merges', ['▁ a', '\n \n']],
      ['tokenizer.ggml.unknown_token_id', 3],
    ]));
    expect(tokenizer.encode('a a\n\n a')).toEqual([5, 6, 8, 6]);
    expect(tokenizer.encode('é')).toEqual([9 + 0xc3, 9 + 0xa9]);
    expect(tokenizer.decode([5, 6, 8, 6])).toBe('a a\n\n a');
  });

  test('cuts as every pre-tokenizer says that is known, losing nothing', () => {
    const text = "Hello WORLD's 12345 ½ naïve 日本語、テスト 한국어 нещо…!?\r\n\n  \t<a>`b`   ";
    for (const name of GGUF_PRE_TOKENIZERS.flatMap(({ names }) => names)) {
      const tokenizer = loadTokenizerFromGguf(tinyBytes(name));
      expect(tokenizer.decode(tokenizer.encode(text)), name).toBe(text);
    }
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

  test('leaves out tokens beyond the rows of the embedding, which no program could look up (case 14)', () => {
    const json = tinyJson({ added_tokens: [{ id: 4, content: '<s>', special: true }, { id: 5, content: '[PAD]', special: true }, { id: 9, content: '<far>' }] });
    const entries = tokenizerJsonToGguf(json, { ...TINY_CONFIG, pad_token: '[PAD]' }, 5);
    expect(entries.get('tokenizer.ggml.tokens')?.value).toEqual(['a', 'b', 'ab', 'Ġ', '<s>']);
    expect(entries.get('tokenizer.ggml.token_type')?.value).toEqual(Int32Array.of(1, 1, 1, 1, 3));
    expect(entries.has('tokenizer.ggml.padding_token_id')).toBe(false);
    const through = loadTokenizerFromGguf(new Map([...entries].map(([key, { value }]) => [key, value])));
    expect(through.encode('ab', { special: true })).toEqual([4, 2]);
    expect(errorOf(() => tokenizerJsonToGguf(json, TINY_CONFIG, 4)).message).toContain('"<s>"');
    expect(errorOf(() => tokenizerJsonToGguf(json, TINY_CONFIG, 2)).message).toContain('more tokens than the model has rows');
  });

  test('recognises the same cutting in its other spelling', () => {
    const pattern = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: true };
    const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
    const json = tinyJson({ pre_tokenizer: { type: 'Sequence', pretokenizers: [split, bytes] } }, { ignore_merges: true });
    expect(tokenizerJsonToGguf(json, TINY_CONFIG).get('tokenizer.ggml.pre')?.value).toBe('llama-bpe');
  });

  test('recognises a pattern whose line ends and ideographs are written as they are', () => {
    const patterns = [
      '\\p{N}{1,3}',
      '[一-龥぀-ゟ゠-ヿ]+',
      '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+',
    ];
    const pretokenizers = [
      ...patterns.map((Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false })),
      { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
    ];
    expect(tokenizerJsonToGguf(tinyJson({ pre_tokenizer: { type: 'Sequence', pretokenizers } }), TINY_CONFIG).get('tokenizer.ggml.pre')?.value).toBe('deepseek-v3');
  });

  test('keeps named chat templates both ways', () => {
    const chat_template = [{ name: 'default', template: 'D' }, { name: 'tool_use', template: 'T' }];
    const entries = tokenizerJsonToGguf(tinyJson(), { ...TINY_CONFIG, chat_template });
    expect(entries.get('tokenizer.chat_template')?.value).toBe('D');
    expect(entries.get('tokenizer.chat_template.tool_use')?.value).toBe('T');
    expect(entries.get('tokenizer.chat_templates')?.value).toEqual(['tool_use']);
    const metadata = new Map([...entries].map(([key, { value }]) => [key, value]));
    expect(ggufToTokenizerConfig(metadata)['chat_template']).toEqual(chat_template);
    metadata.delete('tokenizer.chat_template');
    expect(loadTokenizerFromGguf(metadata).chatTemplate).toBe('T');
  });

  test("states Gemma's way: spaces become marks, nothing in front, a cut at spaces that are gone", () => {
    const bytes = Array.from({ length: 256 }, (_, byte): [string, number] => [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, byte + 8]);
    const vocab = { '<unk>': 0, '<bos>': 1, '▁': 2, a: 3, b: 4, ab: 5, '▁▁': 6, '▁a': 7, ...Object.fromEntries(bytes) };
    const json = {
      added_tokens: [{ id: 0, content: '<unk>', special: true }, { id: 1, content: '<bos>', special: true }, { id: 6, content: '▁▁', normalized: false }],
      normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
      model: { type: 'BPE', unk_token: '<unk>', fuse_unk: true, byte_fallback: true, vocab, merges: [['▁', '▁'], ['▁', 'a'], ['a', 'b']] },
    };
    const entries = tokenizerJsonToGguf(json, { bos_token: '<bos>' });
    expect(entries.get('tokenizer.ggml.model')?.value).toBe('llama');
    expect(entries.get('tokenizer.ggml.add_space_prefix')?.value).toBe(false);
    const through = loadTokenizerFromGguf(new Map([...entries].map(([key, { value }]) => [key, value])));
    for (const text of ['ab', 'a  b', ' a ab', '   ', 'é\n']) expect(through.encode(text)).toEqual(loadTokenizerFromJson(json, null).encode(text));
    expect(through.encode('a  b')).toEqual([3, 6, 4]);
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
