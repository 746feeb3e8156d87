/** From a source of a recipe (a text or a file of token ids) to blocks of token ids. */
import { TextError } from '../support/errors';
import { breathe } from '../support/progress';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { TextProblem } from './findings';
import { readIdsFile } from './ids-file';
import { BlockPacker, packDocuments, type Block } from './packing';
import { chatStyle, renderDocuments } from './rendered';
import type { ColumnChoice } from './rows';
import { openTextSource } from './text-source';

export interface BlockOptions {
  /** Ids of a block. */
  readonly length: number;
  /** Rows of the model's embedding: ids must be below. */
  readonly vocabulary: number;
  /** Stop once this many ids are packed; all of the file if absent. */
  readonly maxTokens?: number | undefined;
  /** Read no more of each document than this: for who wants to know only that there is enough. */
  readonly maxDocumentCharacters?: number | undefined;
  /** Columns of a text's rows that were chosen by hand. */
  readonly columns?: ColumnChoice | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of rows left out; without it the first raises TextError. */
  readonly onProblem?: ((problem: TextProblem, row: number) => void) | undefined;
  /** Told at the end how many documents and tokens were read. */
  readonly onRead?: ((documents: number, tokens: number) => void) | undefined;
}

/**
 * Blocks of a text, its documents one after the other with the end token between; conversations by the model's own
 * template. Raises TextError for what cannot be read and for ids outside the vocabulary.
 */
export async function readTextBlocks(file: string, tokenizer: Tokenizer, options: BlockOptions): Promise<Block[]> {
  const packer = new BlockPacker(options.length, tokenizer.eosIds[0] ?? null);
  const style = chatStyle(tokenizer);
  const limit = options.maxTokens ?? Number.POSITIVE_INFINITY;
  const source = openTextSource(file, { signal: options.signal, onProblem: options.onProblem, columns: options.columns });
  let documents = 0;
  for await (const { text } of renderDocuments(source, style)) {
    const ids = tokenizer.encode(text.slice(0, options.maxDocumentCharacters));
    const outside = ids.find((id) => id >= options.vocabulary);
    if (outside !== undefined) {
      throw new TextError(`The tokenizer gives the token id ${outside}, but the model has only ${options.vocabulary} tokens.`, {
        hint: 'The tokenizer belongs to another model. Get the model again, with its own tokenizer files.',
        details: { file, id: outside },
      });
    }
    packer.add(ids);
    documents++;
    if (packer.tokens >= limit) break;
    await breathe(options.signal);
  }
  options.onRead?.(documents, packer.tokens);
  return packer.blocks;
}

/** Blocks of an ids file: its ids in their order, cut anew where its blocks have another length. Raises TextError. */
export async function readIdsBlocks(file: string, options: BlockOptions): Promise<Block[]> {
  const lists = await readIdsFile(file, options.vocabulary, { signal: options.signal });
  const blocks = packDocuments(lists, options.length, null);
  return options.maxTokens === undefined ? blocks : blocks.slice(0, Math.ceil(options.maxTokens / options.length));
}
