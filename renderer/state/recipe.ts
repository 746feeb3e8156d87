/** Builds the recipe from the choices of the wizard; pure, so that what is sent can be tested. */
import type { Columns, ExportTarget, LorashearSettings, Mode, Recipe, RecipeInput, Source } from '../../preload/contract/recipe';

/** How long to train, in words; the tokens follow from what the texts hold. */
export type Effort = 'quick' | 'normal' | 'thorough';

/** Passes over the texts and the most tokens that each effort takes. */
const EFFORTS: Readonly<Record<Effort, { readonly passes: number; readonly mostTokens: number }>> = {
  quick: { passes: 0.25, mostTokens: 32_768 },
  normal: { passes: 1, mostTokens: 131_072 },
  thorough: { passes: 3, mostTokens: 1_048_576 },
};

/** Sequences in one training step, as the recipe's default. */
export const DEFAULT_BATCH = 4;
/** Tokens in one training sequence, as the recipe's default; fewer where the model's context is shorter. */
export const DEFAULT_LENGTH = 256;
/** Fewer steps than this teach nothing. */
const FEWEST_STEPS = 8;

/** Written unless chosen otherwise: together they open in every program. The first one's bytes are forecast. */
export const DEFAULT_EXPORTS: readonly ExportTarget[] = [
  { format: 'safetensors', dtype: 'F16' },
  { format: 'gguf', dtype: 'F16' },
];

/** The file types offered. */
export const EXPORT_CHOICES: readonly ExportTarget[] = [
  ...DEFAULT_EXPORTS,
  { format: 'safetensors', dtype: 'BF16' },
  { format: 'safetensors', dtype: 'F32' },
  { format: 'gguf', dtype: 'Q8_0' },
  { format: 'gguf', dtype: 'Q5_K_M' },
  { format: 'gguf', dtype: 'Q4_K_M' },
  { format: 'onnx', dtype: 'F32' },
  { format: 'onnx', dtype: 'F16' },
  { format: 'onnx', dtype: 'INT4' },
];

/** Whether two targets are the same file type. */
export function isSameTarget(a: ExportTarget, b: ExportTarget): boolean {
  return a.format === b.format && a.dtype === b.dtype;
}

/** Training tokens for an effort: whole steps of `step` tokens, bounded by the texts and by the effort's own limit. */
export function budgetTokens(effort: Effort, textTokens: number, step: number): number {
  const { passes, mostTokens } = EFFORTS[effort];
  const wanted = Math.min(textTokens * passes, mostTokens);
  return Math.max(FEWEST_STEPS, Math.floor(wanted / step)) * step;
}

/** How exact the arithmetic of recovery is. */
export type Precision = Recipe['training']['precision'];

/** Everything that the wizard collected. */
export interface Choices {
  readonly model: string;
  readonly contextLength: number;
  readonly size: RecipeInput['size'];
  readonly mode: Mode;
  /** As the recipe spells them. */
  readonly locks: readonly string[];
  readonly sources: readonly {
    readonly path: string;
    readonly name: string;
    readonly weight: number;
    readonly stage: NonNullable<Source['stage']>;
    readonly isIds: boolean;
    /** Chosen by hand; null where Shear found what holds the text. */
    readonly columns: Columns | null;
    readonly tokens: number;
  }[];
  readonly effort: Effort;
  readonly rank: number;
  readonly learningRate: number;
  readonly batch: number;
  /** Tokens in one training sequence; the model's context bounds it. */
  readonly length: number;
  readonly seed: number;
  readonly compensation: LorashearSettings['compensation'];
  readonly precision: Precision;
  readonly out: string;
  readonly exports: readonly ExportTarget[];
  readonly prompts: string;
}

/** The recipe that stands for the choices. */
export function buildRecipe(choices: Choices): RecipeInput {
  const length = choices.contextLength > 0 ? Math.min(choices.length, choices.contextLength) : choices.length;
  const textTokens = choices.sources.reduce((sum, source) => sum + source.tokens, 0);
  return {
    model: choices.model,
    mode: choices.mode,
    size: choices.size,
    locks: [...choices.locks],
    sources: choices.sources.map((source) => ({
      kind: source.isIds ? 'ids' : 'text',
      path: source.path,
      name: source.name,
      weight: source.weight,
      stage: source.stage,
      ...(source.columns === null ? {} : { columns: source.columns }),
    })),
    budgetTokens: budgetTokens(choices.effort, textTokens, choices.batch * length),
    seed: choices.seed,
    out: choices.out,
    exports: [...choices.exports],
    prompts: choices.prompts.split('\n').map((line) => line.trim()).filter((line) => line !== '').slice(0, 16),
    method: { compensation: choices.compensation },
    training: {
      precision: choices.precision,
      rank: choices.rank,
      alpha: 2 * choices.rank,
      learningRate: choices.learningRate,
      batch: choices.batch,
      length,
    },
  };
}
