/** What a run tells while it goes and what it leaves: estimates, events, results. */
import * as v from 'valibot';
import { problemSchema } from './model';
import { exportTargetSchema, recipeSchema } from './recipe';

/** Which programs open a result, told before pruning (portability). */
const opensInSchema = v.object({ program: v.string(), opens: v.boolean(), note: v.string() });
export type OpensIn = v.InferOutput<typeof opensInSchema>;

/** The exact outcome of a size choice, computed from headers alone. */
export const sizeForecastSchema = v.object({
  removedFraction: v.number(),
  parametersBefore: v.number(),
  parametersAfter: v.number(),
  /** Bytes of the weights in the first export target's element type. */
  bytesBefore: v.number(),
  bytesAfter: v.number(),
  /** Widths of every layer in mode `everywhere`; the average in mode `quality`. */
  kvHeads: v.number(),
  heads: v.number(),
  ffn: v.number(),
  opensIn: v.array(opensInSchema),
});
export type SizeForecast = v.InferOutput<typeof sizeForecastSchema>;

/** What a run will take, before it starts. Seconds come from a short probe on this machine. */
export const estimateSchema = v.object({
  seconds: v.number(),
  perStage: v.array(v.object({ stage: v.string(), seconds: v.number() })),
  peakBytes: v.number(),
  availableBytes: v.number(),
  diskBytes: v.number(),
  freeDiskBytes: v.number(),
  trainingTokens: v.number(),
  problems: v.array(problemSchema),
});
export type Estimate = v.InferOutput<typeof estimateSchema>;

/** Stages of a run in their order. */
export const STAGES = ['prepare', 'measure', 'analyse', 'prune', 'recover', 'evaluate', 'export'] as const;
export const stageSchema = v.picklist(STAGES);
export type Stage = v.InferOutput<typeof stageSchema>;

export const errorDataSchema = v.object({
  code: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
  details: v.record(v.string(), v.union([v.string(), v.number(), v.boolean(), v.pipe(v.array(v.string()), v.readonly())])),
});

export const runStateSchema = v.picklist(['running', 'done', 'failed', 'cancelled', 'interrupted']);
export type RunState = v.InferOutput<typeof runStateSchema>;

/** Why a part of a layer was kept whole: the knowledge analysis, or the user; null where it was not. */
const lockedBySchema = v.nullable(v.picklist(['knowledge', 'user']));
export type LockedBy = v.InferOutput<typeof lockedBySchema>;
/** The locks of a layer's two parts. Runs of earlier versions told one flag for both, set by the analysis. */
const layerLocksSchema = v.union([
  v.object({ attention: lockedBySchema, mlp: lockedBySchema }),
  v.pipe(v.boolean(), v.transform((isLocked): { attention: LockedBy; mlp: LockedBy } => (isLocked ? { attention: 'knowledge', mlp: 'knowledge' } : { attention: null, mlp: null }))),
]);
export type LayerLocks = v.InferOutput<typeof layerLocksSchema>;

const phaseSchema = v.picklist(['full', 'pruned', 'recovered']);
export type Phase = v.InferOutput<typeof phaseSchema>;

const eventBody = v.variant('type', [
  v.object({ type: v.literal('stage'), stage: stageSchema, index: v.number(), count: v.number() }),
  /** `overall` is 0 to 1 over the whole run; `secondsLeft` is null until it can be told. */
  v.object({
    type: v.literal('progress'), stage: stageSchema, done: v.number(), total: v.number(),
    overall: v.number(), secondsLeft: v.nullable(v.number()),
  }),
  v.object({ type: v.literal('loss'), stage: stageSchema, step: v.number(), loss: v.number() }),
  v.object({ type: v.literal('perplexity'), phase: phaseSchema, source: v.string(), step: v.number(), perplexity: v.number() }),
  /** Knowledge map: deviation of a source's loss (nats a token) when this node group alone is pruned. */
  v.object({
    type: v.literal('knowledge'), layer: v.number(), part: v.picklist(['attention', 'mlp']), source: v.string(),
    deviation: v.number(),
  }),
  v.object({
    type: v.literal('layer'), layer: v.number(), kvHeads: v.number(), kvHeadsBefore: v.number(),
    ffn: v.number(), ffnBefore: v.number(), locked: layerLocksSchema,
  }),
  v.object({ type: v.literal('mix'), round: v.number(), weights: v.record(v.string(), v.number()) }),
  v.object({ type: v.literal('note'), text: v.string() }),
  v.object({ type: v.literal('state'), state: runStateSchema, error: v.optional(errorDataSchema) }),
]);
/** One line of a run's events.jsonl, and what the window receives live. `time` is milliseconds since 1970. */
export const runEventSchema = v.intersect([v.object({ runId: v.string(), time: v.number() }), eventBody]);
export type RunEventBody = v.InferOutput<typeof eventBody>;
export type RunEvent = v.InferOutput<typeof runEventSchema>;

/** One written model: its files, and the largest difference of its logits from the run's model when re-opened. */
export const exportedSchema = v.object({
  target: exportTargetSchema,
  path: v.string(),
  files: v.array(v.object({ path: v.string(), bytes: v.number() })),
  maxLogitDifference: v.number(),
  /** Difference that rounding to the element type explains; the check fails above it. */
  allowedDifference: v.number(),
  /** What the file type could not keep, in sentences for people; empty where nothing was lost but digits. */
  notes: v.optional(v.array(v.string()), []),
});
export type Exported = v.InferOutput<typeof exportedSchema>;

const sideSchema = v.object({ parameters: v.number(), linearParameters: v.number(), bytes: v.number(), tokensPerSecond: v.number() });

export const runResultSchema = v.object({
  runId: v.string(),
  removedFraction: v.number(),
  before: sideSchema,
  after: sideSchema,
  perplexities: v.array(v.object({ source: v.string(), full: v.number(), pruned: v.number(), recovered: v.number(), tokens: v.number() })),
  samples: v.array(v.object({ prompt: v.string(), before: v.string(), after: v.string() })),
  layers: v.array(v.object({
    kvHeads: v.number(), kvHeadsBefore: v.number(), ffn: v.number(), ffnBefore: v.number(), locked: layerLocksSchema,
  })),
  exports: v.array(exportedSchema),
  /** HTML report, opens from the file. */
  report: v.string(),
  seconds: v.number(),
  peakBytes: v.number(),
});
export type RunResult = v.InferOutput<typeof runResultSchema>;

export const runSummarySchema = v.object({
  runId: v.string(),
  folder: v.string(),
  state: runStateSchema,
  /** The last stage that finished; a run that stopped goes on after it. */
  lastStage: v.nullable(stageSchema),
  startedAt: v.number(),
  recipe: recipeSchema,
  result: v.nullable(runResultSchema),
  error: v.nullable(errorDataSchema),
});
export type RunSummary = v.InferOutput<typeof runSummarySchema>;
