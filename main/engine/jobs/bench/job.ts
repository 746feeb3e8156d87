/**
 * What both sides of a comparison are told and answer: one job file, then one line of JSON for each request. The
 * peers' scripts in tests/peers/bench speak the same.
 */
import * as v from 'valibot';

/** What can be measured. */
export const BENCH_WORKS = ['step', 'forward', 'generate'] as const;
export type BenchWork = (typeof BENCH_WORKS)[number];

/** The adapter and the optimiser that both sides train: what Shear's own recovery uses. */
export const BENCH_TRAINING = { rank: 8, alpha: 16, learningRate: 2e-3, clipNorm: 1 } as const;

/** The job file. */
export const benchJobSchema = v.object({
  work: v.picklist(BENCH_WORKS),
  /** A model that this side can open. */
  model: v.string(),
  threads: v.number(),
  /** Rows of one length: the batch of a step or a pass; for `generate` one row, the prompt. */
  ids: v.array(v.array(v.number())),
  /** Tokens to generate after the prompt; 0 for other works. */
  newTokens: v.number(),
  /** Whether our steps let gradients flow in 8 bits; the peer's never do. */
  int8: v.boolean(),
  /** How our side works on the memory that it may use; see TrainingWay. */
  way: v.object({ recompute: v.boolean(), microBatch: v.number(), streamed: v.boolean() }),
  training: v.object({ rank: v.number(), alpha: v.number(), learningRate: v.number(), clipNorm: v.number() }),
});
export type BenchJob = v.InferOutput<typeof benchJobSchema>;

/** Said once, after the model was opened and the work was done once to warm up. */
export const readySchema = v.object({
  /** From opening the model to the end of the first step, pass or text. */
  secondsToFirst: v.number(),
  /** Mean nats per token of the first step or pass; null for `generate`. */
  loss: v.nullable(v.number()),
  /** Ids that `generate` gave; else empty. */
  ids: v.array(v.number()),
  /** Bytes of the model's files that were read until then; a peer does not say. */
  bytesRead: v.optional(v.number(), 0),
});
export type Ready = v.InferOutput<typeof readySchema>;

/** One measured interval. `amount` is tokens for `work`, floating-point operations for `gemm`. */
export const intervalSchema = v.object({
  seconds: v.number(),
  /** Processor time of the whole process in the interval, all threads. */
  cpuSeconds: v.number(),
  amount: v.number(),
  /** Most memory that the process has used so far. */
  peakBytes: v.number(),
  /** Bytes of the model's files that were read in the interval; a peer does not say. */
  bytesRead: v.optional(v.number(), 0),
});
export type Interval = v.InferOutput<typeof intervalSchema>;

/** What a side is asked: do the work once more, or (ours only) multiply matrices for a moment. */
export type BenchRequest = 'work' | 'gemm';
