/**
 * Perplexity: exp of the mean negative log-likelihood over consecutive windows, each token predicted from those
 * before it in the same window, the first of a window not predicted; float32 logits, float64 sum.
 */
import type { LoraAdapter } from '../execution/adapter';
import type { Executor } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';
import { TextError } from '../support/errors';
import { breathe, type OnProgress } from '../support/progress';

export interface PerplexityOptions {
  readonly window: number;
  /** Windows computed together. */
  readonly batch?: number;
  /** Only the first so many tokens. */
  readonly tokens?: number;
  readonly adapter?: LoraAdapter;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface Perplexity {
  /** Mean nats per predicted token. */
  readonly nll: number;
  /** Predicted tokens. */
  readonly tokens: number;
  readonly perplexity: number;
}

/**
 * Measures a text given as ids. A last, shorter window counts as well if it has at least two tokens and no whole
 * window came before it. Throws TextError on fewer than two tokens.
 */
export async function measurePerplexity(
  executor: Executor,
  model: ExecutableModel,
  ids: ArrayLike<number>,
  options: PerplexityOptions,
): Promise<Perplexity> {
  const count = Math.min(ids.length, options.tokens ?? ids.length);
  if (count < 2) throw new TextError('Perplexity needs a text of at least two tokens.', { details: { tokens: count } });
  const length = Math.min(options.window, count);
  const windows = Array.from({ length: Math.floor(count / length) }, (_, index) =>
    Int32Array.from({ length }, (_unused, at) => ids[index * length + at] ?? 0),
  );
  return measureWindows(executor, model, windows, options);
}

/** Perplexity over windows of equal length that need not come from one text. */
export async function measureWindows(
  executor: Executor,
  model: ExecutableModel,
  windows: readonly ArrayLike<number>[],
  options: Omit<PerplexityOptions, 'window' | 'tokens'>,
): Promise<Perplexity> {
  const [first] = windows;
  if (first === undefined || first.length < 2) throw new TextError('Perplexity needs windows of at least two tokens.');
  const batch = options.batch ?? 8;
  let sum = 0;
  let tokens = 0;
  for (let from = 0; from < windows.length; from += batch) {
    const part = windows.slice(from, from + batch);
    const shape = { batch: part.length, length: first.length };
    let hidden: Float32Array = executor.embed(model, Int32Array.from(part.flatMap((window) => Array.from(window))), shape);
    for (let layer = 0; layer < model.config.layers.length; layer++) {
      hidden = await executor.forwardBlock(model, layer, hidden, shape, options.adapter === undefined ? {} : { adapter: options.adapter });
      await breathe(options.signal);
      options.onProgress?.({ done: from + (part.length * (layer + 1)) / (model.config.layers.length + 1), total: windows.length });
    }
    for (const loss of await windowLosses(executor, model, hidden, part, options.signal)) sum += loss;
    tokens += part.length * (first.length - 1);
    options.onProgress?.({ done: from + part.length, total: windows.length });
  }
  const nll = sum / tokens;
  return { nll, tokens, perplexity: Math.exp(nll) };
}

/** Summed negative log-likelihood of each window, from the last layer's output [B*T, C]. */
export async function windowLosses(
  executor: Executor,
  model: ExecutableModel,
  hidden: Float32Array,
  windows: readonly ArrayLike<number>[],
  signal?: AbortSignal,
): Promise<number[]> {
  const length = windows[0]?.length ?? 0;
  const labels = Int32Array.from(windows.flatMap((window) => Array.from({ length }, (_, at) => window[at + 1] ?? 0)));
  const losses = await executor.tokenLosses(model, hidden, labels, signal);
  return windows.map((_, row) => {
    let sum = 0;
    for (let at = 0; at + 1 < length; at++) sum += losses[row * length + at] ?? 0;
    return sum;
  });
}
