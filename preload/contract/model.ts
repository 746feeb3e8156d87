/** What the program says about a model and about texts: shapes shared by the engine, the command line and the window. */
import * as v from 'valibot';
import { textStageSchema } from './recipe';

/** Something that a person should know about a file; an error stops the work, a warning does not. */
export const problemSchema = v.object({
  severity: v.picklist(['error', 'warning']),
  /** Stable name for programs, e.g. `missing-shard`. */
  code: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
  /** The file that it is about, where it is about one. */
  file: v.optional(v.string()),
});
export type Problem = v.InferOutput<typeof problemSchema>;

/** Sizes of one decoder layer. */
const layerSummarySchema = v.object({
  heads: v.number(),
  kvHeads: v.number(),
  ffn: v.number(),
  /** Parameters of its seven linear matrices, and of those of either part. */
  parameters: v.number(),
  attentionParameters: v.number(),
  mlpParameters: v.number(),
});

/** What `shear inspect` prints and the model page shows. Numbers are 0 and texts empty where problems hide them. */
export const inspectionSchema = v.object({
  path: v.string(),
  /** Folder or file name, for people. */
  name: v.string(),
  kind: v.picklist(['huggingface', 'gguf']),
  family: v.string(),
  parameters: v.number(),
  /** Parameters in the decoder layers' linear matrices: what a ratio counts. */
  linearParameters: v.number(),
  /** Parameters of the embedding, and of the output head; 0 for a head that is the embedding. */
  embeddingParameters: v.number(),
  headParameters: v.number(),
  /** Bytes of the weights as stored. */
  bytes: v.number(),
  layers: v.number(),
  hidden: v.number(),
  /** Of the first layer; `perLayer` has them all. */
  heads: v.number(),
  kvHeads: v.number(),
  headDim: v.number(),
  ffn: v.number(),
  vocabulary: v.number(),
  contextLength: v.number(),
  dtype: v.string(),
  tied: v.boolean(),
  tokenizer: v.string(),
  hasChatTemplate: v.boolean(),
  /** SPDX name or the licence file's name; `unknown` when the model says nothing. */
  licence: v.string(),
  perLayer: v.array(layerSummarySchema),
  problems: v.array(problemSchema),
});
export type Inspection = v.InferOutput<typeof inspectionSchema>;

/** A preview of one text source, as the model will see it. */
export const textPreviewSchema = v.object({
  path: v.string(),
  name: v.string(),
  bytes: v.number(),
  /** Documents found: paragraphs groups of a text file, rows of a JSONL file. */
  documents: v.number(),
  /** Tokens in the whole file when a model was given, else 0. */
  tokens: v.number(),
  /** False where the tokens beyond the first ten million characters are told from the text's length. */
  tokensExact: v.boolean(),
  /** Rows that cannot be used: how many, and the first of them with their numbers and reasons. */
  leftOut: v.number(),
  badRows: v.array(v.object({ row: v.number(), reason: v.string() })),
  /** Names of the columns or fields of rows, to choose those with the text by hand; none for texts without rows. */
  columns: v.array(v.string()),
  /** Languages by their codes of ISO 639-3 with their shares, 0 to 1, largest first. */
  languages: v.array(v.object({ code: v.string(), share: v.number() })),
  /** For people: `plain text`, `JSON lines, field "text"`, `chat messages`, `token ids`. */
  format: v.string(),
  /** The stage of recovery that its format is for: questions with answers are instructions, all else is text to read. */
  stage: textStageSchema,
  /** The first few documents, each cut to a few hundred characters. */
  samples: v.array(v.string()),
  problems: v.array(problemSchema),
});
export type TextPreview = v.InferOutput<typeof textPreviewSchema>;
