/** A recipe: everything that decides a run. The same recipe, model and texts give the same plan. */
import * as v from 'valibot';

const fraction = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const positiveInteger = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const path = v.pipe(v.string(), v.minLength(1));

/**
 * How small: a share of the decoder layers' linear parameters, or the most that the first exported file's weights may
 * take, the most parameters of the whole model, or the memory that it has to run in.
 */
export const sizeSchema = v.variant('kind', [
  v.object({ kind: v.literal('ratio'), ratio: v.pipe(v.number(), v.minValue(0), v.maxValue(0.9)) }),
  v.object({ kind: v.literal('bytes'), bytes: positiveInteger }),
  v.object({ kind: v.literal('parameters'), parameters: positiveInteger }),
  v.object({
    kind: v.literal('memory'),
    bytes: positiveInteger,
    /** Tokens of the text whose keys and values lie beside the weights; no more than the model reads count. */
    context: v.optional(positiveInteger, 4096),
    /** Bytes for the program that runs it and for its intermediate results. */
    allowance: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 500_000_000),
  }),
]);
export type Size = v.InferOutput<typeof sizeSchema>;

/**
 * What a person keeps whole: layers (`3`, `1-2`, `first`, `last` or `*`; counted from 1, as in reports and tables),
 * a colon, and the part (`attention`, `mlp` or `*`).
 */
export const lockSchema = v.pipe(
  v.string(),
  v.regex(/^(\d{1,6}|\d{1,6}-\d{1,6}|first|last|\*):(attention|mlp|\*)$/, 'a lock is LAYERS:PART, such as 3:mlp, 1-2:attention or last:*'),
);

/** `everywhere`: equal widths in all layers, opens in every program. `quality`: each layer its own width. */
export const modeSchema = v.picklist(['everywhere', 'quality']);
export type Mode = v.InferOutput<typeof modeSchema>;

/** The stages of recovery (Algorithm 5): pre-training text first, instructions after. */
export const textStageSchema = v.picklist(['pretraining', 'instruction']);

const column = v.pipe(v.string(), v.minLength(1), v.maxLength(1000));

/**
 * Columns (or fields) of rows that hold the text, where their names do not tell: the one with texts to read; those with
 * questions, answers and what belongs to the question; or the one with conversations. Questions and conversations are
 * written as the model's chat template has them.
 */
export const columnsSchema = v.union(
  [v.strictObject({ text: column }), v.strictObject({ question: column, answer: column, context: v.optional(column) }), v.strictObject({ messages: column })],
  'columns are { text }, { question, answer } or { question, answer, context }, or { messages }, each the name of a column',
);
export type Columns = v.InferOutput<typeof columnsSchema>;

/** One recovery text (or file of token ids), what people call it, and its weight in the mix. */
const sourceSchema = v.object({
  kind: v.picklist(['text', 'ids']),
  path,
  name: v.pipe(v.string(), v.minLength(1)),
  weight: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1000)), 1),
  /** The stage that recovers it. */
  stage: v.optional(textStageSchema, 'pretraining'),
  columns: v.optional(columnsSchema),
});
export type Source = v.InferOutput<typeof sourceSchema>;

/**
 * Number formats of GGUF files by llama.cpp's names, from exact to smallest. `_M` and `_S` are mixes: K_M stores the
 * weights that suffer most finer.
 */
export const GGUF_DTYPES = [
  'F32', 'F16', 'BF16', 'Q8_0', 'Q6_K', 'Q5_K_M', 'Q5_K_S', 'Q5_1', 'Q5_0', 'Q4_K_M', 'Q4_K_S', 'Q4_1', 'Q4_0',
] as const;

/** Types of ONNX models, from exact to smallest; in INT4 tables of the vocabulary have 8 bits. */
export const ONNX_DTYPES = ['F32', 'F16', 'INT4'] as const;

/** File type and element type of an exported model. */
export const exportTargetSchema = v.variant('format', [
  v.object({ format: v.literal('safetensors'), dtype: v.picklist(['F32', 'F16', 'BF16']) }),
  v.object({ format: v.literal('gguf'), dtype: v.picklist(GGUF_DTYPES) }),
  v.object({ format: v.literal('onnx'), dtype: v.picklist(ONNX_DTYPES) }),
]);
export type ExportTarget = v.InferOutput<typeof exportTargetSchema>;

/** Names of saliency criteria (lorashear.md, section 3; `gateTaylor` is ours: gradient of a gate on each structure). */
const criterionSchema = v.picklist([
  'magnitude', 'averageMagnitude', 'cosine', 'taylorFirst', 'taylorSecond', 'gateTaylor',
]);
export type Criterion = v.InferOutput<typeof criterionSchema>;

/** LoRAShear's own settings. */
export const lorashearSchema = v.object({
  name: v.optional(v.literal('lorashear'), 'lorashear'),
  /** Share of the training budget for warm-up, for the pruning periods, and (the rest) for recovery. */
  warmupShare: v.optional(fraction, 0.05),
  pruningShare: v.optional(fraction, 0.25),
  /** P of Algorithm 4. */
  periods: v.optional(positiveInteger, 4),
  /** `halfSpace` is the paper's rule, `linearDecay` the released code's. */
  shrink: v.optional(v.picklist(['halfSpace', 'linearDecay']), 'halfSpace'),
  /** epsilon of the half-space projection. */
  epsilon: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(0.999)), 0),
  /** Weight of each criterion in the normalised sum. */
  criteria: v.optional(v.record(criterionSchema, fraction), { gateTaylor: 1 }),
  /** gamma_u: the share of node groups, those with the largest deviation, that are not pruned at all. */
  unprunableShare: v.optional(fraction, 0.1),
  /** Ratio at which each node group is pruned alone in the knowledge analysis. */
  analysisRatio: v.optional(fraction, 0.25),
  /** Tokens per source for the knowledge analysis. */
  analysisTokens: v.optional(positiveInteger, 512),
  /** `refit`: least squares makes o and down of the smaller model give what the full model's gave, as far as they can. */
  compensation: v.optional(v.picklist(['refit', 'none']), 'none'),
  /** Training tokens for the refit, at most; and its ridge, as a share of the mean of the Gram matrix's diagonal. */
  compensationTokens: v.optional(positiveInteger, 32_768),
  compensationRidge: v.optional(v.pipe(v.number(), v.minValue(1e-6), v.maxValue(10)), 0.01),
});
export type LorashearSettings = v.InferOutput<typeof lorashearSchema>;

/** LoRA training. */
const trainingSchema = v.object({
  rank: v.optional(positiveInteger, 8),
  alpha: v.optional(v.pipe(v.number(), v.minValue(0)), 16),
  /** Left out, it follows from the model's width (`defaultLearningRate`). */
  learningRate: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  /** `fastest`: recovery lets gradients flow in 8 bits where the processor is good at it; `exact`: float32 throughout. */
  precision: v.optional(v.picklist(['fastest', 'exact']), 'fastest'),
  /** Probability with which each number that enters LoRA's factors is dropped in a training step. */
  dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(0.9)), 0),
  batch: v.optional(positiveInteger, 4),
  /** Tokens of a sequence; the first is not predicted, so one alone teaches nothing. */
  length: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(2)), 256),
});

/**
 * Peak learning rate of LoRA for a model of a hidden width: 2e-3 at 576 (SmolLM2-135M), falling with the square root of
 * the width, as wider models want smaller steps. Two digits, because people read it.
 */
export function defaultLearningRate(hidden: number): number {
  return Number((0.048 / Math.sqrt(Math.max(1, hidden))).toPrecision(2));
}

/** Dynamic recovery: mix weight = (1 - beta) softmax(degradation / temperature) + beta uniform. */
export const recoverySchema = v.object({
  beta: v.optional(fraction, 0.5),
  temperature: v.optional(v.pipe(v.number(), v.minValue(1e-3)), 0.25),
  /** Rounds between which the degradation of each source is measured anew. */
  rounds: v.optional(positiveInteger, 4),
  /** Share of each source held back from training to measure its degradation. */
  heldBackShare: v.optional(v.pipe(v.number(), v.minValue(0.01), v.maxValue(0.5)), 0.06),
  /** Share of what the smaller model learns from what the full one, after its warm-up, expects of the same texts; the rest is the texts' own next words. */
  distillation: v.optional(fraction, 0),
  /** Trainings one after another, each merged into the weights and followed by a fresh adapter and optimiser (Chain of LoRA, arXiv 2401.04151). */
  links: v.optional(v.pipe(positiveInteger, v.maxValue(16)), 1),
});
export type RecoverySettings = v.InferOutput<typeof recoverySchema>;

export const recipeSchema = v.object({
  version: v.optional(v.literal(1), 1),
  model: path,
  mode: v.optional(modeSchema, 'everywhere'),
  size: sizeSchema,
  /** Parts of layers that stay whole because the user says so. */
  locks: v.optional(v.pipe(v.array(lockSchema), v.maxLength(2000)), []),
  sources: v.pipe(
    v.array(sourceSchema),
    v.minLength(1),
    v.maxLength(64),
    v.check((sources) => sources.some(({ weight }) => weight > 0), 'At least one text needs a weight above 0.'),
  ),
  /** Training tokens of the whole run; 0 prunes without any training. */
  budgetTokens: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  seed: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(4294967295)), 0),
  /** Folder that receives the results; it must not exist or be empty. */
  out: path,
  exports: v.optional(v.pipe(v.array(exportTargetSchema), v.minLength(1)), [{ format: 'safetensors', dtype: 'F16' }]),
  /** Prompts whose answers are shown before and after. */
  prompts: v.optional(v.pipe(v.array(v.string()), v.maxLength(16)), []),
  method: v.optional(lorashearSchema, {}),
  training: v.optional(trainingSchema, {}),
  recovery: v.optional(recoverySchema, {}),
});
export type Recipe = v.InferOutput<typeof recipeSchema>;
/** A recipe as people write it: everything that has a default may be left out. */
export type RecipeInput = v.InferInput<typeof recipeSchema>;
