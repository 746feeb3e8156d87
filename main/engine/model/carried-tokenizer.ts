/**
 * The tokenizer and the small files that a model takes along into another form: byte for byte where the form stays
 * the same, translated where it changes.
 */
import { readFile } from 'node:fs/promises';
import { inferEntry } from '../formats/gguf/value-writer';
import type { GgufEntry, GgufValue } from '../formats/gguf/types';
import { ggufToTokenizerConfig, ggufToTokenizerJson } from '../tokenizer/gguf-to-json';
import { tokenizerJsonToGguf } from '../tokenizer/json-to-gguf';
import { sentencePieceToGguf } from '../tokenizer/sentencepiece-tokenizer';
import type { Checkpoint } from './checkpoint';
import { readTokenizerFiles } from './tokenizer-files';

const TOKENIZER_PREFIX = 'tokenizer.';

/**
 * The `tokenizer.*` entries for a GGUF file with `rows` embedding rows. Without tokenizer.json and tokenizer.model the
 * entries say that there is no vocabulary. Throws UnsupportedError for tokenizers that GGUF cannot state.
 */
export async function ggufTokenizerEntries(
  source: Checkpoint,
  rows: number,
): Promise<ReadonlyMap<string, GgufEntry>> {
  if (source.metadata.kind === 'gguf') {
    return new Map([...source.metadata.entries].filter(([key]) => key.startsWith(TOKENIZER_PREFIX)));
  }
  const files = await readTokenizerFiles(source.sideFiles);
  if (files === null) return new Map([['tokenizer.ggml.model', inferEntry('no_vocab')]]);
  return files.kind === 'json' ? tokenizerJsonToGguf(files.json, files.config, rows) : sentencePieceToGguf(files.bytes, files.config, rows);
}

/** The files, by name, that complete a Hugging Face folder besides config.json and the weights. */
export async function huggingfaceSideFiles(source: Checkpoint): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  if (source.metadata.kind === 'huggingface') {
    for (const [name, path] of source.sideFiles) files.set(name, await readFile(path));
    return files;
  }
  const values = new Map<string, GgufValue>();
  for (const [key, { value }] of source.metadata.entries) values.set(key, value);
  if (values.has('tokenizer.ggml.tokens')) {
    files.set('tokenizer.json', encodeJson(ggufToTokenizerJson(values)));
    files.set('tokenizer_config.json', encodeJson(ggufToTokenizerConfig(values)));
  }
  const { bosId, eosIds } = source.config;
  const generation = {
    ...(bosId === null ? {} : { bos_token_id: bosId }),
    ...(eosIds.length === 0 ? {} : { eos_token_id: eosIds.length === 1 ? eosIds[0] : eosIds }),
  };
  files.set('generation_config.json', encodeJson(generation));
  return files;
}

/** Readable JSON with a final line break, as every program writes it into model folders. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
