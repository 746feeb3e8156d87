/** The tokenizer that belongs to a checkpoint, from the files of its folder or from the vocabulary inside a GGUF file. */
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import type { Checkpoint } from '../model/checkpoint';
import { NotFoundError, toAppError } from '../support/errors';
import { loadTokenizerFromGguf } from '../tokenizer/gguf-tokenizer';
import { loadTokenizerFromJson } from '../tokenizer/json-tokenizer';
import { loadTokenizerFromSentencePiece } from '../tokenizer/sentencepiece-tokenizer';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { parseJson } from './json-files';

/**
 * Loads the tokenizer of an opened model.
 * @throws NotFoundError when a folder has neither tokenizer.json nor tokenizer.model; FormatError or UnsupportedError as the loaders do.
 */
export async function loadCheckpointTokenizer(checkpoint: Checkpoint): Promise<Tokenizer> {
  const { metadata, sideFiles, config } = checkpoint;
  if (metadata.kind === 'gguf') {
    return loadTokenizerFromGguf(new Map([...metadata.entries].map(([key, entry]) => [key, entry.value])));
  }
  const tokenizerConfig = await readTokenizerConfig(sideFiles);
  const path = sideFiles.get('tokenizer.json');
  if (path !== undefined) return loadTokenizerFromJson(await readJson(path), tokenizerConfig, config.eosIds);
  const model = sideFiles.get('tokenizer.model');
  if (model !== undefined) return loadTokenizerFromSentencePiece(await readBytes(model), tokenizerConfig, config.eosIds);
  throw new NotFoundError(`${checkpoint.path} has neither tokenizer.json nor tokenizer.model, so texts cannot be read into this model.`, {
    hint: 'Download tokenizer.json from the page of the model and put it beside config.json.',
    details: { file: checkpoint.path },
  });
}

/** The tokenizer's configuration; a chat template in a file of its own outranks the one inside. */
async function readTokenizerConfig(sideFiles: ReadonlyMap<string, string>): Promise<unknown> {
  const path = sideFiles.get('tokenizer_config.json');
  const config = path === undefined ? null : await readJson(path);
  const template = sideFiles.get('chat_template.jinja');
  if (template === undefined) return config;
  const fields = v.safeParse(v.record(v.string(), v.unknown()), config);
  return { ...(fields.success ? fields.output : {}), chat_template: await readText(template) };
}

async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), v.unknown(), path);
}

async function readText(path: string): Promise<string> {
  return (await readBytes(path)).toString('utf8');
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw toAppError(error);
  }
}
