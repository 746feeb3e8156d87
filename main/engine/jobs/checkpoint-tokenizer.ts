/** The tokenizer that belongs to a checkpoint, from the files of its folder or from the vocabulary inside a GGUF file. */
import type { Checkpoint } from '../model/checkpoint';
import { otherTokenizerFiles, readTokenizerFiles, TOKENIZER_HINT } from '../model/tokenizer-files';
import { NotFoundError } from '../support/errors';
import { loadTokenizerFromGguf } from '../tokenizer/gguf-tokenizer';
import { loadTokenizerFromJson } from '../tokenizer/json-tokenizer';
import { loadTokenizerFromSentencePiece } from '../tokenizer/sentencepiece-tokenizer';
import type { Tokenizer } from '../tokenizer/tokenizer';

/**
 * Loads the tokenizer of an opened model.
 * @throws NotFoundError when a folder has neither tokenizer.json nor tokenizer.model; FormatError or UnsupportedError as the loaders do.
 */
export async function loadCheckpointTokenizer(checkpoint: Checkpoint): Promise<Tokenizer> {
  const { metadata, sideFiles, config } = checkpoint;
  if (metadata.kind === 'gguf') {
    return loadTokenizerFromGguf(new Map([...metadata.entries].map(([key, entry]) => [key, entry.value])));
  }
  return loadFolderTokenizer(checkpoint.path, sideFiles, config.eosIds);
}

/**
 * Loads the tokenizer whose files lie in a folder; `sideFiles`: name to path, `eosIds` those that the model's settings state.
 * @throws NotFoundError when there is neither tokenizer.json nor tokenizer.model; FormatError or UnsupportedError as the loaders do.
 */
export async function loadFolderTokenizer(folder: string, sideFiles: ReadonlyMap<string, string>, eosIds: readonly number[]): Promise<Tokenizer> {
  const files = await readTokenizerFiles(sideFiles);
  if (files === null) {
    const others = otherTokenizerFiles(sideFiles);
    throw new NotFoundError(`${folder} has neither tokenizer.json nor tokenizer.model${others.length === 0 ? '' : `, but ${others.join(' and ')}, a form that is not read`}, so texts cannot be read into this model.`, {
      hint: TOKENIZER_HINT,
      details: { file: folder },
    });
  }
  if (files.kind === 'json') return loadTokenizerFromJson(files.json, files.config, eosIds);
  return loadTokenizerFromSentencePiece(files.bytes, files.config, eosIds);
}
