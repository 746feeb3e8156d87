/** Prepare: opens the model and turns each source into blocks of token ids, some of them kept from training. */
import type { Recipe } from '../../../../preload/contract/recipe';
import { loadCheckpointTokenizer } from '../checkpoint-tokenizer';
import { readIdsBlocks, readTextBlocks } from '../../data/token-source';
import { splitHeldBack } from '../../data/packing';
import type { Checkpoint } from '../../model/checkpoint';
import type { OnProgress } from '../../support/progress';
import { FEWEST_BLOCKS, tooShort } from '../check-sources';
import type { Step } from '../step';
import { withCheckpoint } from './shared';
import { BLOCKS_FILE, type Blocks, type BlockSource } from './stage-files';

/** Tokens of a source not trained on, beyond which measuring gets no more certain, only slower. */
const MAX_HELD_BACK_TOKENS = 8192;
/** Tokens read of each source at least, however small the budget. */
const MIN_TOKENS = 65_536;

export const prepareStep: Step = {
  stage: 'prepare',
  run: (context, report) =>
    withCheckpoint(context, async (checkpoint) => {
      const note = (text: string): void => {
        context.emit({ type: 'note', text });
      };
      await context.folder.writeJson(BLOCKS_FILE, await packSources(checkpoint, context.recipe, { signal: context.signal, report, note }));
    }),
};

/** A recipe's sources as blocks of token ids. Throws TextError for a text that is too short. */
export async function packSources(
  checkpoint: Checkpoint,
  recipe: Recipe,
  { signal, report, note }: { readonly signal: AbortSignal; readonly report: OnProgress; readonly note: (text: string) => void },
): Promise<Blocks> {
  const { vocabulary, maxPositions } = checkpoint.config;
  const length = Math.min(recipe.training.length, maxPositions);
  const options = { length, vocabulary, maxTokens: Math.max(MIN_TOKENS, recipe.budgetTokens), signal };
  const tokenizer = recipe.sources.some(({ kind }) => kind === 'text') ? await loadCheckpointTokenizer(checkpoint) : null;
  const sources: BlockSource[] = [];
  for (const [index, source] of recipe.sources.entries()) {
    report({ done: index, total: recipe.sources.length });
    let leftOut = 0;
    const onProblem = (): void => {
      leftOut++;
    };
    const onRead = (documents: number, tokens: number): void => {
      note(`${source.name}: ${tokens.toLocaleString('en')} tokens were read, from ${documents.toLocaleString('en')} ${documents === 1 ? 'document' : 'documents'}.`);
    };
    const blocks =
      source.kind === 'ids' || tokenizer === null
        ? await readIdsBlocks(source.path, options)
        : await readTextBlocks(source.path, tokenizer, { ...options, columns: source.columns, onProblem, onRead });
    if (leftOut > 0) note(`${source.name}: ${leftOut} rows could not be used and were left out.`);
    if (blocks.length < FEWEST_BLOCKS) throw tooShort(source, blocks.length, length, null);
    const share = Math.min(recipe.recovery.heldBackShare, MAX_HELD_BACK_TOKENS / (blocks.length * length));
    const { training, heldBack: kept } = splitHeldBack(blocks, share, recipe.seed + index);
    // Of a text too short for two such parts, one serves both ends.
    const validation = kept.length === 1 ? kept : kept.filter((_, at) => at % 2 === 1);
    const heldBack = kept.length === 1 ? kept : kept.filter((_, at) => at % 2 === 0);
    sources.push({
      name: source.name,
      weight: source.weight,
      stage: source.stage,
      training: training.map((ids) => Array.from(ids)),
      validation: validation.map((ids) => Array.from(ids)),
      heldBack: heldBack.map((ids) => Array.from(ids)),
    });
  }
  return { length, sources };
}
