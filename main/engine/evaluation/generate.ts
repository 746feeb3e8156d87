/** Text generation with a key/value cache: the likeliest token, or a seeded sample at a temperature. */
import type { Executor } from '../execution/executor';
import { KeyValueCache } from '../execution/key-value-cache';
import { readTokens } from '../execution/read-tokens';
import type { TextModel } from '../execution/text-model';
import { TextError } from '../support/errors';
import { breathe } from '../support/progress';
import { Random } from '../support/random';

export interface GenerateOptions {
  /** At most so many new tokens. */
  readonly tokens: number;
  readonly seed: number;
  /** 0 takes the likeliest token each time. */
  readonly temperature: number;
  /** Tokens that end the text; not returned. */
  readonly eosIds: readonly number[];
  readonly signal?: AbortSignal;
  readonly onToken?: (id: number) => void;
}

/** New ids after a prompt of at least one id. `tokensPerSecond` counts new tokens after the prompt was read. */
export async function generate(
  executor: Executor,
  model: TextModel,
  promptIds: readonly number[],
  options: GenerateOptions,
): Promise<{ ids: number[]; tokensPerSecond: number }> {
  if (promptIds.length === 0) throw new TextError('Generation needs a prompt of at least one token.');
  const random = Random.fromSeed(options.seed);
  const cache = new KeyValueCache(model.config);
  const ids: number[] = [];
  let next = promptIds;
  let started = performance.now();
  while (ids.length < options.tokens) {
    await breathe(options.signal);
    const logits = await readTokens(executor, model, next, cache);
    if (ids.length === 0) started = performance.now();
    const id = options.temperature === 0 ? argmax(logits) : sample(logits, options.temperature, random);
    if (options.eosIds.includes(id)) break;
    ids.push(id);
    options.onToken?.(id);
    next = [id];
  }
  const seconds = (performance.now() - started) / 1000;
  return { ids, tokensPerSecond: ids.length > 1 && seconds > 0 ? (ids.length - 1) / seconds : 0 };
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] ?? -Infinity) > (values[best] ?? -Infinity)) best = index;
  }
  return best;
}

function sample(logits: Float32Array, temperature: number, random: Random): number {
  const top = logits[argmax(logits)] ?? 0;
  let total = 0;
  const shares = Float64Array.from(logits, (logit) => {
    const share = Math.exp((logit - top) / temperature);
    total += share;
    return share;
  });
  let rest = random.next() * total;
  for (let index = 0; index < shares.length; index++) {
    rest -= shares[index] ?? 0;
    if (rest <= 0) return index;
  }
  return argmax(logits);
}
