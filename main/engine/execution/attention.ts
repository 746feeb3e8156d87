/**
 * Causal grouped-query attention as a graph. Where the number of positions is known, queries are taken in blocks that
 * look only at the keys up to their own end: half the work is never done, and scores of all positions never exist at
 * once.
 */
import type { GraphBuilder } from '../graph/builder';
import { multiplyDims, type Dim } from '../graph/dims';
import type { Value } from '../graph/graph';

export interface AttentionInputs {
  /** [B, K, G, T, D], rotated. */
  readonly queries: Value;
  /** [B, K, S, D], rotated. */
  readonly keys: Value;
  /** [B, K, S, D] */
  readonly values: Value;
  /** What scores are multiplied by; null for 1 / sqrt(D). */
  readonly scale: number | null;
  /** Scores are squeezed into (-cap, cap) before the mask; null where they are not. */
  readonly cap: number | null;
  /** Added to the scores: [T, S], or [B, 1, 1, T, S] where documents of one sequence must not see each other. */
  readonly mask: Value;
}

/** Keys and values of earlier positions, [B, K, L, D] each, which stay where they are: nothing is joined to them. */
export interface AttentionPast {
  readonly keys: Value;
  readonly values: Value;
}

/** Fewest queries of a block: below it the products get too thin to be quick. */
const SMALLEST_BLOCK = 64;
/** Most blocks: each adds nodes to the graph. */
const MOST_BLOCKS = 16;
/** Longest sequences whose scores may exist at once: 4 MB a head. */
const LONGEST_WHOLE = 1024;

/**
 * Queries of a block for sequences of a length; the last block may have fewer. Null where blocks do not pay: each length
 * with blocks has a graph of its own, so up to some length only those that blocks divide get one.
 */
export function queryBlock(length: number): number | null {
  const size = Math.max(SMALLEST_BLOCK, Math.ceil(length / MOST_BLOCKS / SMALLEST_BLOCK) * SMALLEST_BLOCK);
  return length > LONGEST_WHOLE || (length >= 2 * size && length % size === 0) ? size : null;
}

/** cap * tanh(x / cap), or the value as it is where there is no cap. */
export function capped(builder: GraphBuilder, value: Value, cap: number | null, name?: string): Value {
  if (cap === null) return value;
  return builder.multiply(builder.apply('Tanh', [builder.multiply(value, builder.scalar(1 / cap))]), builder.scalar(cap), name);
}

/** softmax(scale Q K^T + mask) V, with scores capped where asked, as [B, K, G, T, D]. */
export function attend(builder: GraphBuilder, { queries, keys, values, mask, scale, cap }: AttentionInputs): Value {
  const [B = 1, K = 1, G = 1, T = 1, D = 1] = queries.shape;
  const scaled = builder.multiply(queries, builder.scalar(scale ?? 1 / Math.sqrt(Number(D))));
  const looked = (query: Value, key: Value, value: Value, hidden: Value, length: Dim): Value => {
    const seen = key.shape[2] ?? 1;
    const rows = builder.reshape(query, [B, K, multiplyDims(G, length), D]);
    const scores = capped(builder, builder.matmul(rows, builder.transpose(key, [0, 1, 3, 2])), cap);
    const shares = builder.softmax(builder.add(builder.reshape(scores, [B, K, G, length, seen]), hidden));
    const mixed = builder.matmul(builder.reshape(shares, [B, K, multiplyDims(G, length), seen]), value);
    return builder.reshape(mixed, [B, K, G, length, D]);
  };
  const size = typeof T === 'number' && keys.shape[2] === T ? queryBlock(T) : null;
  if (size === null || typeof T !== 'number') return looked(scaled, keys, values, mask, T);
  const rank = mask.shape.length;
  const blocks = Array.from({ length: Math.ceil(T / size) }, (_, index) => {
    const [start, end] = [index * size, Math.min((index + 1) * size, T)];
    const hidden = builder.slice(builder.slice(mask, rank - 2, start, end), rank - 1, 0, end);
    const upTo = (value: Value): Value => (end === T ? value : builder.slice(value, 2, 0, end));
    return looked(builder.slice(scaled, 3, start, end), upTo(keys), upTo(values), hidden, end - start);
  });
  return builder.concat(blocks, 3, T);
}

/**
 * The same for new tokens after earlier ones; `mask` [T, S] is for both, the L earlier positions first. Their scores are
 * joined, not their keys and values, which grow with the text.
 */
export function attendAfter(builder: GraphBuilder, past: AttentionPast, { queries, keys, values, mask, scale, cap }: AttentionInputs): Value {
  const [B = 1, K = 1, G = 1, T = 1, D = 1] = queries.shape;
  const [seen = 1, earlier = 1] = [mask.shape.at(-1), past.keys.shape[2]];
  const together = multiplyDims(G, T);
  const rows = builder.reshape(builder.multiply(queries, builder.scalar(scale ?? 1 / Math.sqrt(Number(D)))), [B, K, together, D]);
  const scoresOf = (key: Value): Value => capped(builder, builder.matmul(rows, builder.transpose(key, [0, 1, 3, 2])), cap);
  const scores = builder.reshape(builder.concat([scoresOf(past.keys), scoresOf(keys)], 3, seen), [B, K, G, T, seen]);
  const shares = builder.reshape(builder.softmax(builder.add(scores, mask)), [B, K, together, seen]);
  const fromEarlier = builder.matmul(builder.slice(shares, 3, 0, earlier, earlier), past.values);
  const fromNew = builder.matmul(builder.slice(shares, 3, earlier, seen, T), values);
  return builder.reshape(builder.add(fromEarlier, fromNew), [B, K, G, T, D]);
}
