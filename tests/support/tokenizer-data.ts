/** Reads the tokenizer test data: vocabularies of real models, compressed. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

const FOLDER = path.join(import.meta.dirname, '../data/tokenizer');

/** The parsed content of a compressed JSON file of tests/data/tokenizer. */
export function readCompressedJson(name: string): unknown {
  return JSON.parse(gunzipSync(readFileSync(path.join(FOLDER, name))).toString('utf8'));
}

/** GGUF metadata of a vocabulary, as a reader gives it. `changes` replaces entries. */
export function vocabularyMetadata(name: 'smollm2' | 'gpt2' | 'phi3', changes: Readonly<Record<string, unknown>> = {}): ReadonlyMap<string, unknown> {
  const found = readCompressedJson(`${name}.vocabulary.json.gz`);
  return new Map(Object.entries({ ...(found as Record<string, unknown>), ...changes }));
}

/** llama.cpp's test texts with their ids. */
export function llamaCppVectors(name: 'gpt-2' | 'phi-3' | 'mpt'): readonly { readonly text: string; readonly ids: readonly number[] }[] {
  const read = (ending: string): string => readFileSync(path.join(FOLDER, 'llamacpp', `${name}.${ending}`), 'utf8');
  const lines = read('out').split('\n');
  return read('inp').split('\n__ggml_vocab_test__\n').slice(0, -1).map((text, index) => {
    const line = (lines[index] ?? '').trim();
    return { text, ids: line === '' ? [] : line.split(' ').map(Number) };
  });
}
