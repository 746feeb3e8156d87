/** From a source of a recipe (a text or a file of token ids) to blocks of token ids. */
import { TextError } from '../support/errors';
import { breathe } from '../support/progress';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { TextProblem } from './findings';
import { readIdsFile } from './ids-file';
import { BlockPacker, packDocuments, type Block } from './packing';
import { documentText, type ChatStyle } from './rows';
import { readTextSource } from './text-source';

export interface BlockOptions {
  /** Ids of a block. */
  readonly length: number;
  /** Rows of the model's embedding: ids must be below. */
  readonly vocabulary: number;
  /** Stop once this many ids are packed; all of the file if absent. */
  readonly maxTokens?: number | undefined;
  /** Read no more of each document than this: for who wants to know only that there is enough. */
  readonly maxDocumentCharacters?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of rows left out; without it the first raises TextError. */
  readonly onProblem?: ((problem: TextProblem, row: number) => void) | undefined;
}

/** How a model writes conversations, from its tokenizer; null if it has no template. */
export function chatStyle(tokenizer: Tokenizer): ChatStyle | null {
  if (tokenizer.chatTemplate === null) return null;
  const textOf = (id: number | null | undefined): string => (id === null || id === undefined ? '' : (tokenizer.tokenText(id) ?? ''));
  return { template: tokenizer.chatTemplate, bos: textOf(tokenizer.bosId), eos: textOf(tokenizer.eosIds[0]) };
}

/**
 * Blocks of a text, its documents one after the other with the end token between; conversations by the model's own
 * template. Raises TextError for what cannot be read and for ids outside the vocabulary.
 */
export async function readTextBlocks(file: string, tokenizer: Tokenizer, options: BlockOptions): Promise<Block[]> {
  const packer = new BlockPacker(options.length, tokenizer.eosIds[0] ?? null);
  const style = chatStyle(tokenizer);
  const limit = options.maxTokens ?? Number.POSITIVE_INFINITY;
  for await (const document of readTextSource(file, { signal: options.signal, onProblem: options.onProblem })) {
    const ids = tokenizer.encode(documentText(document, style).slice(0, options.maxDocumentCharacters));
    const outside = ids.find((id) => id >= options.vocabulary);
    if (outside !== undefined) {
      throw new TextError(`The tokenizer gives the token id ${outside}, but the model has only ${options.vocabulary} tokens.`, {
        hint: 'The tokenizer belongs to another model. Get the model again, with its own tokenizer files.',
        details: { file, id: outside },
      });
    }
    packer.add(ids);
    if (packer.tokens >= limit) break;
    await breathe(options.signal);
  }
  return packer.blocks;
}

/** Blocks of an ids file: its ids in their order, cut anew where its blocks have another length. Raises TextError. */
export async function readIdsBlocks(file: string, options: BlockOptions): Promise<Block[]> {
  const lists = await readIdsFile(file, options.vocabulary, { signal: options.signal });
  const blocks = packDocuments(lists, options.length, null);
  return options.maxTokens === undefined ? blocks : blocks.slice(0, Math.ceil(options.maxTokens / options.length));
}
