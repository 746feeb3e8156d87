/** What the numeric stages hand to each other as JSON in the run's folder: names, contents, and how they are read. */
import * as v from 'valibot';

export const BLOCKS_FILE = 'blocks.json';
/** Token blocks of each source, all of one length. */
export const blocksSchema = v.object({
  length: v.number(),
  sources: v.array(
    v.object({
      name: v.string(),
      weight: v.number(),
      stage: v.picklist(['pretraining', 'instruction']),
      training: v.array(v.array(v.number())),
      /** Steers recovery; never trained on. */
      validation: v.array(v.array(v.number())),
      /** Makes the figures of the result; neither trained on nor used for any decision. */
      heldBack: v.array(v.array(v.number())),
    }),
  ),
});
export type Blocks = v.InferOutput<typeof blocksSchema>;
export type BlockSource = Blocks['sources'][number];

export const MEASURE_FILE = 'measure.json';
export const PRUNED_MEASURE_FILE = 'pruned-measure.json';
const lossesSchema = v.array(v.object({ source: v.string(), nll: v.number(), tokens: v.number() }));
/** Mean loss of each source on its held-back blocks, in nats a token, in the order of the sources. */
export const measureSchema = v.object({ losses: lossesSchema });
export type Measure = v.InferOutput<typeof measureSchema>;
export const VALIDATION_FILE = 'validation.json';

export const ANALYSIS_FILE = 'analysis.json';
export const analysisSchema = v.object({
  /** Mean absolute gate gradients by layer. */
  gates: v.array(v.object({ attention: v.array(v.number()), mlp: v.array(v.number()) })),
  /** Rise of each source's loss when a node group is pruned alone, in the order of the unit groups. */
  deviations: v.array(v.object({ group: v.number(), deviations: v.array(v.number()) })),
  /** What gate gradients alone say that the deviation of each group is, in nats a token; absent in older runs. */
  estimates: v.optional(v.array(v.number()), []),
  /** Mean deviations when each unit of a group is removed alone; null where they were not measured. */
  unitDeviations: v.array(v.nullable(v.array(v.number()))),
  /** Indices of unprunable groups, the most sensitive first. */
  locked: v.array(v.number()),
});
export type Analysis = v.InferOutput<typeof analysisSchema>;

export const PLAN_FILE = 'plan.json';
export const planSchema = v.object({
  groups: v.array(
    v.object({
      layer: v.number(),
      part: v.picklist(['attention', 'mlp']),
      size: v.number(),
      kept: v.array(v.number()),
      scores: v.array(v.number()),
      removedIn: v.optional(v.array(v.nullable(v.number()))),
      locked: v.boolean(),
      lockedByUser: v.optional(v.boolean()),
    }),
  ),
});
