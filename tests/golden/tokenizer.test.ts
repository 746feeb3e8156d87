import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ggufToTokenizerConfig, ggufToTokenizerJson } from '../../main/engine/tokenizer/gguf-to-json';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { tokenizerJsonToGguf } from '../../main/engine/tokenizer/json-to-gguf';
import { loadTokenizerFromJson } from '../../main/engine/tokenizer/json-tokenizer';
import type { Tokenizer } from '../../main/engine/tokenizer/tokenizer';
import { llamaCppVectors, readCompressedJson, vocabularyMetadata } from '../support/tokenizer-data';

function readJson<Content>(name: string): Content {
  return JSON.parse(readFileSync(path.join(import.meta.dirname, name), 'utf8')) as Content;
}

interface Peers {
  readonly texts: readonly string[];
  readonly ids: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly decoded: Readonly<Record<string, readonly string[]>>;
}

const peers = readJson<Peers>('data/tokenizer-peers.json');

function expectVectors(tokenizer: Tokenizer, name: 'gpt-2' | 'phi-3' | 'mpt'): void {
  const vectors = llamaCppVectors(name);
  expect(vectors).toHaveLength(46);
  for (const { text, ids } of vectors) {
    expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(text);
  }
}

/** The tokenizer of a GGUF vocabulary after a way to tokenizer.json and back to GGUF. */
function throughGguf(metadata: ReadonlyMap<string, unknown>): { readonly tokenizer: Tokenizer; readonly entries: ReadonlyMap<string, unknown> } {
  const written = tokenizerJsonToGguf(ggufToTokenizerJson(metadata), ggufToTokenizerConfig(metadata));
  const entries = new Map<string, unknown>([...written].map(([key, entry]) => [key, entry.value]));
  return { tokenizer: loadTokenizerFromGguf(entries), entries };
}

describe('ids equal those of llama.cpp', () => {
  test('for GPT-2, from a GGUF vocabulary', () => {
    expectVectors(loadTokenizerFromGguf(vocabularyMetadata('gpt2')), 'gpt-2');
  });

  test('for Phi-3, whose SentencePiece vocabulary is that of Llama', () => {
    expectVectors(loadTokenizerFromGguf(vocabularyMetadata('phi3')), 'phi-3');
  });

  test('for GPT-NeoX, from its tokenizer.json', () => {
    expectVectors(loadTokenizerFromJson(readCompressedJson('gpt-neox.tokenizer.json.gz'), null), 'mpt');
  });
});

describe("ids equal those of Hugging Face's tokenizers", () => {
  test('for GPT-2 on a French text', () => {
    const { text, token_ids } = readJson<{ text: string; token_ids: number[] }>('../data/tokenizer/gpt2-encoded.json');
    expect(loadTokenizerFromGguf(vocabularyMetadata('gpt2')).encode(text)).toEqual(token_ids);
  });

  test('for Llama on a French text, start token first', () => {
    const { text, token_ids } = readJson<{ text: string; token_ids: number[] }>('../data/tokenizer/llama-encoded.json');
    expect(loadTokenizerFromGguf(vocabularyMetadata('phi3')).encode(text, { special: true })).toEqual(token_ids);
  });

  test.each(['gpt2', 'phi3'] as const)('for the vocabulary of %s on the cases of swift-transformers', (name) => {
    const cases = readJson<Record<string, { input: string; encoded: { input_ids: number[] } }[]>>('../data/tokenizer/hugging-face-cases.json')[name] ?? [];
    const tokenizer = loadTokenizerFromGguf(vocabularyMetadata(name));
    expect(cases).toHaveLength(18);
    for (const { input, encoded } of cases) expect(tokenizer.encode(input, { special: true })).toEqual(encoded.input_ids);
  });

  test.each(['gpt-2', 'smollm', 'qwen2', 'llama-bpe', 'sentencepiece'])('for %s on unusual texts, and so does what they decode to', (name) => {
    const tokenizer = name === 'sentencepiece'
      ? loadTokenizerFromGguf(vocabularyMetadata('phi3'))
      : loadTokenizerFromGguf(vocabularyMetadata('smollm2', { 'tokenizer.ggml.pre': name }));
    expect(peers.texts.length).toBeGreaterThan(150);
    peers.texts.forEach((text, index) => {
      const ids = tokenizer.encode(text);
      expect(ids, JSON.stringify(text)).toEqual(peers.ids[name]?.[index]);
      expect(tokenizer.decode(ids)).toBe(peers.decoded[name]?.[index]);
    });
  });
});

describe("SmolLM2's ids on pieces of the measured texts", () => {
  const texts = readJson<{ name: string; text: string; plainIds: number[]; smollmIds: number[] | null }[]>('data/smollm2-texts.json');
  const plain = loadTokenizerFromGguf(vocabularyMetadata('smollm2', { 'tokenizer.ggml.pre': 'gpt-2' }));
  const own = loadTokenizerFromGguf(vocabularyMetadata('smollm2'));

  test.each(texts)('$name: the golden ids, and those with single digits', ({ text, plainIds, smollmIds }) => {
    expect(plain.encode(text)).toEqual(plainIds);
    expect(own.encode(text)).toEqual(smollmIds ?? plainIds);
    expect(own.decode(plainIds)).toBe(text);
  });

  test.each(['wiki.valid', 'web_c4', 'code_py', 'war'])('%s, whole: its golden ids as text give the same ids again', (name) => {
    const bytes = readFileSync(path.join(import.meta.dirname, '..', 'data', 'smollm2', `${name}.ids.json.gz`));
    const ids = JSON.parse(gunzipSync(bytes).toString('utf8')) as number[];
    expect(ids.length).toBeGreaterThanOrEqual(16_384);
    expect(plain.encode(plain.decode(ids))).toEqual(ids);
  });
});

describe('a vocabulary that went to tokenizer.json and back to GGUF', () => {
  test.each(['gpt-2', 'smollm', 'qwen2', 'llama-bpe', 'smaug-bpe', 'tekken'])('keeps the pre-tokenizer %s and the whole vocabulary', (name) => {
    const metadata = vocabularyMetadata('smollm2', { 'tokenizer.ggml.pre': name });
    const { entries } = throughGguf(metadata);
    expect(entries.get('tokenizer.ggml.pre')).toBe(name);
    for (const key of ['tokens', 'merges', 'bos_token_id', 'eos_token_id', 'add_bos_token', 'add_space_prefix']) {
      expect(entries.get(`tokenizer.ggml.${key}`), key).toEqual(metadata.get(`tokenizer.ggml.${key}`));
    }
    expect(Array.from(entries.get('tokenizer.ggml.token_type') as Int32Array)).toEqual(metadata.get('tokenizer.ggml.token_type'));
    expect(entries.get('tokenizer.chat_template')).toBe(metadata.get('tokenizer.chat_template'));
  });

  test('gives the same ids for SentencePiece, though its scores are new', () => {
    const { tokenizer, entries } = throughGguf(vocabularyMetadata('phi3'));
    expect(entries.get('tokenizer.ggml.model')).toBe('llama');
    expectVectors(tokenizer, 'phi-3');
    peers.texts.forEach((text, index) => expect(tokenizer.encode(text)).toEqual(peers.ids['sentencepiece']?.[index]));
  });
});
