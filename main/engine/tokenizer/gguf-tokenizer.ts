/** Makes a Tokenizer from the vocabulary inside a GGUF file. */
import type { GgufMetadataLike } from './gguf-metadata';
import { ggufToTokenizerConfig, ggufToTokenizerJson, readVocabulary } from './gguf-to-json';
import { unigramModelOfGguf } from './gguf-unigram';
import { loadTokenizerFromJson, parseTokenizerConfig } from './json-tokenizer';
import { tokenizerOfModel } from './sentencepiece-tokenizer';
import type { Tokenizer } from './tokenizer';

/**
 * A Tokenizer from GGUF metadata (key to value; arrays as arrays or typed arrays). Raises FormatError or
 * UnsupportedError as `ggufToTokenizerJson` does.
 */
export function loadTokenizerFromGguf(metadata: GgufMetadataLike): Tokenizer {
  const vocabulary = readVocabulary(metadata);
  const config = ggufToTokenizerConfig(metadata);
  // llama.cpp follows SentencePiece where Hugging Face's form of a Unigram tokenizer differs from it.
  if (vocabulary.model === 't5') return tokenizerOfModel(unigramModelOfGguf(metadata, vocabulary), parseTokenizerConfig(config), vocabulary.eosIds);
  return loadTokenizerFromJson(ggufToTokenizerJson(metadata), config, vocabulary.eosIds);
}
