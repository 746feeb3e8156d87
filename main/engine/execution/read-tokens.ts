/** Runs a model over the next tokens of a text with a cache of those before: what writing text needs of a model. */
import { float32, float32Data, type Feed } from '../runtime/session';
import { InternalError } from '../support/errors';
import { blockSpec, specKey, type Executor } from './executor';
import { cachedGraph, headForm, PAST_KEYS, PAST_VALUES, turnedHeadGraph } from './graphs';
import type { KeyValueCache } from './key-value-cache';
import { globalTensor, headRole, type ExecutableModel } from './loaded-model';
import { enterStream, FINAL_NORM } from './stream-ends';
import { weightsOf, type TextModel } from './text-model';

/** Logits [V] of what follows the last of `ids`, at least one, which are added to the cache. */
export async function readTokens(executor: Executor, model: TextModel, ids: readonly number[], cache: KeyValueCache): Promise<Float32Array> {
  const { weights, turned } = weightsOf(model);
  const { config } = weights;
  const length = ids.length;
  const isHeadTurned = turned.size > 0;
  const spec = blockSpec(config, {}, null);
  const session = await executor.session(null, `cached ${[specKey(spec), ...turned].join(' ')}`, () => cachedGraph(spec, turned));
  const windows = [0, ...new Set(config.design.windows)];
  const masks = new Map(windows.map((window) => [window, cache.mask(length, window)]));
  const added: { keys: Float32Array; values: Float32Array }[] = [];
  let hidden = embed(executor, weights, ids, isHeadTurned, cache.positions);
  for (const layer of config.layers.keys()) {
    const feeds = await executor.blockFeeds(weights, layer, hidden, { batch: 1, length }, {}, cache.positions);
    const past = cache.layer(layer);
    const mask = masks.get(config.design.windows[layer] ?? 0);
    if (mask !== undefined) feeds.set('mask', mask);
    feeds.set(PAST_KEYS, past.keys).set(PAST_VALUES, past.values);
    const results = await session.run(feeds);
    const [output, keys, values] = session.graph.outputs.map(({ name }) => float32Data(results.get(name), name));
    if (output === undefined || keys === undefined || values === undefined) throw new InternalError('A block gave no keys and values.');
    added.push({ keys, values });
    hidden = output;
  }
  cache.append(length, added);
  const last = hidden.subarray(hidden.length - config.hidden);
  return isHeadTurned ? turnedLogits(executor, weights, last) : executor.logits(weights, last);
}

/** Embeddings [N, C]; where the head is tied and turned, an id's are a column of it. */
function embed(executor: Executor, model: ExecutableModel, ids: readonly number[], isHeadTurned: boolean, past: number): Float32Array {
  const { hidden, tied, vocabulary } = model.config;
  if (!tied || !isHeadTurned) return executor.embed(model, ids, { past });
  const table = globalTensor(model, 'embedding').data;
  const rows = Float32Array.from({ length: ids.length * hidden }, (_, at) => table[(at % hidden) * vocabulary + (ids[Math.floor(at / hidden)] ?? 0)] ?? 0);
  enterStream(model, rows, { past });
  return rows;
}

/** Logits [V] of one hidden row [C] through a head [C, V]. */
async function turnedLogits(executor: Executor, model: ExecutableModel, row: Float32Array): Promise<Float32Array> {
  const { hidden, vocabulary } = model.config;
  const form = headForm(model.config);
  const session = await executor.session(null, `head turned ${JSON.stringify(form)}`, () => turnedHeadGraph(form));
  const logits = float32(new Float32Array(vocabulary), [1, vocabulary]);
  const feeds = new Map<string, Feed>([
    ['x', float32(row, [1, hidden])],
    ['head', await executor.globalFeed(model, headRole(model.config))],
  ]);
  for (const role of FINAL_NORM) if (model.globals.has(role)) feeds.set(role, await executor.globalFeed(model, role));
  await session.run(feeds, new Map([['logits', logits]]));
  return float32Data(logits, 'logits');
}
