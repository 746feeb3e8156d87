/** Whether each text of a recipe is enough to learn from and to measure: told before a run, from the beginning of each. */
import { statSync } from 'node:fs';
import type { Problem } from '../../../preload/contract/model';
import type { Recipe, Source } from '../../../preload/contract/recipe';
import { readIdsBlocks, readTextBlocks } from '../data/token-source';
import type { Checkpoint } from '../model/checkpoint';
import { TextError } from '../support/errors';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { loadCheckpointTokenizer } from './checkpoint-tokenizer';
import { asProblem } from './estimate';

/** Pieces that a text must fill: one to learn from, one to measure. */
export const FEWEST_BLOCKS = 2;

/** More than tokens of texts have: the beginning of a long document is enough to see that it is long enough. */
const CHARACTERS_PER_TOKEN = 16;

/**
 * One error for each text that fills too few pieces or cannot be read as far as that takes. Files that are not there are
 * no concern of this: the estimate tells them.
 */
export async function checkSources(checkpoint: Checkpoint, recipe: Recipe, signal?: AbortSignal): Promise<Problem[]> {
  const { vocabulary, maxPositions } = checkpoint.config;
  const length = Math.min(recipe.training.length, maxPositions);
  const present = recipe.sources.filter(({ path }) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
  let tokenizer: Tokenizer | null = null;
  try {
    if (present.some(({ kind }) => kind === 'text')) tokenizer = await loadCheckpointTokenizer(checkpoint);
  } catch (error) {
    return [asProblem(error)];
  }
  const problems: Problem[] = [];
  for (const source of present) {
    const count = async (blockLength: number, maxDocumentCharacters?: number): Promise<number> => {
      const options = { length: blockLength, vocabulary, maxTokens: FEWEST_BLOCKS * length, maxDocumentCharacters, columns: source.columns, signal, onProblem: () => undefined };
      const blocks = source.kind === 'ids' || tokenizer === null ? readIdsBlocks(source.path, options) : readTextBlocks(source.path, tokenizer, options);
      return (await blocks).length;
    };
    try {
      if ((await count(length, FEWEST_BLOCKS * length * CHARACTERS_PER_TOKEN)) >= FEWEST_BLOCKS) continue;
      const blocks = await count(length);
      if (blocks < FEWEST_BLOCKS) problems.push(asProblem(tooShort(source, blocks, length, await count(1))));
    } catch (error) {
      problems.push(asProblem(error));
    }
  }
  return problems;
}

/** The error for a text of `tokens` tokens (null where they were not counted) that fills only `blocks` pieces of `length`. */
export function tooShort({ name, path }: Pick<Source, 'name' | 'path'>, blocks: number, length: number, tokens: number | null): TextError {
  const shorter = tokens === null ? 0 : Math.floor(tokens / FEWEST_BLOCKS);
  const counted = tokens === null ? '' : ` It has ${tokens.toLocaleString('en')} tokens.`;
  return new TextError(
    `"${name}" has too little text: it fills ${blocks} of the pieces of ${length} tokens that the model reads at a time, and ${FEWEST_BLOCKS} are needed.${counted}`,
    {
      hint: tokens === null ? 'Add more text to it, leave it out, or use a smaller text length.'
        : shorter < 2 ? 'Add more text to it, or leave it out.' : `Add more text to it, leave it out, or use a text length of ${shorter} or less.`,
      details: { file: path, blocks, length },
    },
  );
}
