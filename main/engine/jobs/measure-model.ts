/** Perplexity of a model on files, by the protocol that makes figures comparable: raw texts, no special tokens, windows of equal length. */
import { readIdsFile } from '../data/ids-file';
import { readWholeText } from '../data/whole-text';
import { measurePerplexity } from '../evaluation/perplexity';
import { TextError } from '../support/errors';
import type { OnProgress } from '../support/progress';
import { withExecutor, withUsableModel, type UsableModel } from './use-model';

/** What to measure on. Several texts are measured one after the other and count by their predicted tokens. */
export type MeasureInput =
  | { readonly kind: 'texts'; readonly paths: readonly string[] }
  | { readonly kind: 'ids'; readonly path: string };

export interface MeasureOptions {
  /** Only the first so many ids of each text. */
  readonly tokens?: number | undefined;
  /** Ids that the model sees at a time. */
  readonly window: number;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface MeasuredModel {
  readonly perplexity: number;
  /** Mean nats per predicted token. */
  readonly nll: number;
  /** Predicted tokens. */
  readonly tokens: number;
  readonly texts: readonly { readonly path: string; readonly perplexity: number; readonly nll: number; readonly tokens: number }[];
}

/** Measures a model. Throws TextError when a text is shorter than two tokens, and what opening models and texts throws. */
export async function measureModel(path: string, input: MeasureInput, options: MeasureOptions): Promise<MeasuredModel> {
  return withUsableModel(path, { signal: options.signal }, (usable) => measureUsable(usable, input, options));
}

async function measureUsable(usable: UsableModel, input: MeasureInput, options: MeasureOptions): Promise<MeasuredModel> {
  const window = Math.min(options.window, usable.model.config.maxPositions);
  const paths = input.kind === 'ids' ? [input.path] : input.paths;
  return withExecutor(options.threads, async (executor) => {
    const texts: MeasuredModel['texts'][number][] = [];
    for (const [index, text] of paths.entries()) {
      const ids = await readIds(usable, input.kind, text);
      const limited = options.tokens === undefined ? ids : ids.slice(0, options.tokens);
      if (limited.length < 2) throw new TextError(`${text} has fewer than two tokens: there is nothing to predict.`, { details: { file: text } });
      const measured = await measurePerplexity(executor, usable.model, limited, {
        window: Math.min(window, limited.length),
        ...(options.signal && { signal: options.signal }),
        onProgress: ({ done, total }) => options.onProgress?.({ done: index + done / total, total: paths.length }),
      });
      texts.push({ path: text, ...measured });
    }
    const tokens = texts.reduce((sum, text) => sum + text.tokens, 0);
    const nll = texts.reduce((sum, text) => sum + text.nll * text.tokens, 0) / tokens;
    return { perplexity: Math.exp(nll), nll, tokens, texts };
  });
}

async function readIds({ model, tokenizer }: UsableModel, kind: MeasureInput['kind'], path: string): Promise<number[]> {
  if (kind === 'texts') return tokenizer.encode(await readWholeText(path));
  return (await readIdsFile(path, model.config.vocabulary)).flat();
}
