/** A text continued by a model: prompt in, text out, pieces on the way. */
import { generate } from '../evaluation/generate';
import type { Executor } from '../execution/executor';
import type { TextModel } from '../execution/text-model';
import { CancelledError, UsageError } from '../support/errors';
import type { OnProgress } from '../support/progress';
import { StreamDecoder } from '../tokenizer/stream-decoder';
import { withExecutor, withUsableWriter, type UsableModel } from './use-model';

export interface GeneratedText {
  /** The new text, without the prompt. */
  readonly text: string;
  readonly ids: number[];
  readonly tokensPerSecond: number;
}

export interface ContinueOptions {
  readonly tokens: number;
  readonly seed: number;
  readonly temperature: number;
  readonly signal?: AbortSignal | undefined;
  /** Receives whole characters as they come. */
  readonly onText?: ((piece: string) => void) | undefined;
  /** Answer with what there is when the signal is raised, instead of throwing CancelledError. */
  readonly keepWhenStopped?: boolean;
}

/** Continues a prompt with a model in memory. Throws UsageError for a prompt longer than the model can read. */
export async function continueText(executor: Executor, usable: Omit<UsableModel<TextModel>, 'close'>, prompt: string, options: ContinueOptions): Promise<GeneratedText> {
  const { model, tokenizer, eosIds } = usable;
  const promptIds = tokenizer.encode(prompt, { special: true });
  const room = model.config.maxPositions - promptIds.length;
  if (room < 1) {
    throw new UsageError(`The prompt has ${promptIds.length} tokens; this model reads at most ${model.config.maxPositions}, the answer included.`, { hint: 'Shorten the prompt.' });
  }
  const decoder = new StreamDecoder(tokenizer);
  // The prompt is the context of the first new token: whether a space stands before it, for instance.
  for (const id of promptIds) decoder.push(id);
  const ids: number[] = [];
  let text = '';
  const take = (piece: string): void => {
    if (piece === '') return;
    text += piece;
    options.onText?.(piece);
  };
  const startedMs = performance.now();
  try {
    const generated = await generate(executor, model, promptIds, {
      tokens: Math.min(options.tokens, room), seed: options.seed, temperature: options.temperature, eosIds,
      ...(options.signal && { signal: options.signal }),
      onToken: (id) => {
        ids.push(id);
        take(decoder.push(id));
      },
    });
    take(decoder.flush());
    return { text, ids: generated.ids, tokensPerSecond: generated.tokensPerSecond };
  } catch (error) {
    if (!(error instanceof CancelledError) || options.keepWhenStopped !== true) throw error;
    const seconds = (performance.now() - startedMs) / 1000;
    return { text, ids, tokensPerSecond: seconds > 0 ? ids.length / seconds : 0 };
  }
}

/** Loads a model and continues a prompt with it. */
export async function generateText(
  path: string, prompt: string, options: ContinueOptions & { readonly threads: number; readonly onProgress?: OnProgress },
): Promise<GeneratedText> {
  const { signal, onProgress, threads } = options;
  return withUsableWriter(path, { signal, onProgress }, (usable) =>
    withExecutor(threads, (executor) => continueText(executor, usable, prompt, options)),
  );
}
