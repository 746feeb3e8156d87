/** Makes a Tokenizer from the vocabulary inside a GGUF file. */
import { ggufEosIds, ggufToTokenizerConfig, ggufToTokenizerJson, type GgufMetadataLike } from './gguf-to-json';
import { loadTokenizerFromJson } from './json-tokenizer';
import type { Tokenizer } from './tokenizer';

/**
 * A Tokenizer from GGUF metadata (key to value; arrays as arrays or typed arrays). Raises FormatError or
 * UnsupportedError as `ggufToTokenizerJson` does.
 */
export function loadTokenizerFromGguf(metadata: GgufMetadataLike): Tokenizer {
  return loadTokenizerFromJson(ggufToTokenizerJson(metadata), ggufToTokenizerConfig(metadata), ggufEosIds(metadata));
}
