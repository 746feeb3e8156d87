/** Files by which stages hand figures to later ones: names and contents. Weights travel in their own files (steps/stage-model). */
import * as v from 'valibot';
import { runResultSchema } from '../../../preload/contract/run';

/** Written by the evaluate stage: everything that the result tells beyond sizes. */
export const EVALUATION_FILE = 'evaluation.json';
export const evaluationSchema = v.object({
  /** Per source: the full, the pruned and the recovered model on the same held-back tokens. */
  perplexities: runResultSchema.entries.perplexities,
  /** One for each of the recipe's prompts. */
  samples: runResultSchema.entries.samples,
  layers: runResultSchema.entries.layers,
  /** Generation speed of the two models on this machine. */
  tokensPerSecond: v.object({ before: v.number(), after: v.number() }),
  /** Held-back ids, at most 256, on which exported files are compared with the run's model. */
  checkIds: v.array(v.number()),
});
export type Evaluation = v.InferOutput<typeof evaluationSchema>;
