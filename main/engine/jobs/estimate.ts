/**
 * What a run will take before it starts: memory and disk by formula from the model's configuration, time from a short
 * probe of this machine, and everything that speaks against starting, in words. Nothing is written.
 */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import type { Problem } from '../../../preload/contract/model';
import type { Recipe } from '../../../preload/contract/recipe';
import type { Estimate, Stage } from '../../../preload/contract/run';
import { countParameters, type ModelConfig } from '../model/config';
import { AppError, FormatError, PlanError, ResourceError, TextError, UnsupportedError, UsageError, toAppError } from '../support/errors';
import { resolveLocks } from '../pruning/locks';
import { availableMemoryBytes, memoryLimitBytes, volumeOf } from './machine';
import { planTableBytes } from './plan-table';
import type { StageEstimate } from './progress-meter';
import { planWidths, weightBytes, withEvenWidths, type WidthBudget } from './size';
import { chooseTrainingWay } from './training-way';

/** How fast this machine works on a model: tokens a second through all of it. */
export interface Speed {
  readonly forwardTokensPerSecond: number;
  readonly trainTokensPerSecond: number;
  /** The same in recovery, where gradients may flow in 8 bits. */
  readonly recoverTokensPerSecond: number;
}

/** Tokens of each source on which perplexities are measured; fewer where a source is shorter. */
const EVALUATION_TOKENS = 4096;
const SAMPLE_TOKENS = 64;
/** Writing, re-opening and comparing an exported file. */
const EXPORT_BYTES_PER_SECOND = 60e6;
const CHECK_TOKENS = 256;
/** Bytes of tokenizer files for each token, in every exported form: SmolLM2's take 43, Gemma 3's 127, gpt-oss's 139. */
const TOKENIZER_BYTES = 150;
/** Report, cards and licences beside exported models; histories in a run's folder. */
const OTHER_BYTES = 20e6;

/** Seconds of every stage. `tokensPerSource` is how many tokens each source has for measuring. */
export function estimateStages(config: ModelConfig, recipe: Recipe, speed: Speed, tokensPerSource = EVALUATION_TOKENS): StageEstimate[] {
  const sources = recipe.sources.length;
  const { method, recovery, budgetTokens } = recipe;
  const forward = (tokens: number): number => tokens / speed.forwardTokensPerSecond;
  const train = (tokens: number): number => tokens / speed.trainTokensPerSecond;
  const measured = Math.min(EVALUATION_TOKENS, tokensPerSource) * sources;
  const pruningTokens = budgetTokens * Math.min(1, method.warmupShare + method.pruningShare);
  // Each node group (attention and MLP of every layer) is pruned alone; the layers before it need no second look.
  const analysed = 2 * config.layers.length * Math.min(method.analysisTokens, tokensPerSource) * sources * 0.5;
  const rounds = budgetTokens === 0 ? 0 : recovery.rounds;
  const exportBytes = recipe.exports.reduce((sum, target) => sum + weightBytes(config, target), 0);
  const seconds: Record<Stage, number> = {
    prepare: 0.5 + (4 * countParameters(config)) / 400e6,
    measure: forward(measured),
    analyse: forward(analysed) + train(measured / 4),
    prune: train(pruningTokens) + forward(measured),
    recover:
      (budgetTokens - pruningTokens) / speed.recoverTokensPerSecond +
      forward(measured * rounds * 0.5 + (recovery.distillation > 0 ? budgetTokens - pruningTokens : 0)),
    evaluate: forward(measured + 2 * 8 * recipe.prompts.length * SAMPLE_TOKENS),
    export: exportBytes / EXPORT_BYTES_PER_SECOND + forward(CHECK_TOKENS * (1 + 2 * recipe.exports.length)),
  };
  return (Object.keys(seconds) as Stage[]).map((stage) => ({ stage, seconds: seconds[stage] }));
}

/** Bytes that a run writes: exported files on the volume of `recipe.out`, stage files in its run folder. */
export function estimateDiskBytes(config: ModelConfig, budget: WidthBudget, recipe: Recipe): { readonly exports: number; readonly run: number } {
  const after =
    budget.mode === 'everywhere' ? withEvenWidths(config, { heads: budget.heads, kvHeads: budget.kvHeads, ffn: budget.ffn }) : config;
  const exports = recipe.exports.reduce((sum, target) => sum + weightBytes(after, target) + TOKENIZER_BYTES * config.vocabulary, 0);
  const table = planTableBytes(config, recipe);
  // At most, float32 all: while pruning, the weights that a killed run goes on with, twice as the new are written before
  // the old go, beside the pruned ones, and what the refit and a teacher need of the full model; later, the pruned and the recovered ones.
  const [full, small] = [4 * countParameters(config), 4 * countParameters(after)];
  const kept = recipe.budgetTokens === 0 ? small : 2 * full;
  const adapted = recipe.method.compensation === 'refit' || recipe.recovery.distillation > 0 ? full : 0;
  return { exports: exports + table + OTHER_BYTES, run: small + kept + adapted + table + OTHER_BYTES };
}

/** What an estimate is made from; the model is already open. */
export interface EstimateInput {
  readonly config: ModelConfig;
  readonly recipe: Recipe;
  readonly speed: Speed;
  readonly runsFolder: string;
  /** Bytes that a run to be continued has written to its folder already. */
  readonly writtenBytes?: number;
  /** The most memory that the user allows; what the environment says unless given. */
  readonly memoryLimitBytes?: number | undefined;
}

/** The estimate of a run, with every problem that would stop it. */
export async function estimateRun(input: EstimateInput): Promise<Estimate> {
  const { config, recipe, speed } = input;
  const stages = estimateStages(config, recipe, speed);
  const needs = await estimateNeeds(input);
  return {
    seconds: stages.reduce((sum, stage) => sum + stage.seconds, 0),
    perStage: stages,
    trainingTokens: recipe.budgetTokens,
    ...needs,
    problems: [...(await checkPaths(recipe)), ...needs.problems],
  };
}

/** Memory and disk: what a run needs of them, what this machine has, and what is missing. */
export type Needs = Pick<Estimate, 'peakBytes' | 'availableBytes' | 'diskBytes' | 'freeDiskBytes' | 'problems'>;

/** The part of an estimate that can change while a run is paused. */
export async function estimateNeeds(input: Omit<EstimateInput, 'speed'>): Promise<Needs> {
  const { config, recipe, runsFolder, writtenBytes = 0, memoryLimitBytes: limit = memoryLimitBytes(process.env) } = input;
  const problems: Problem[] = [];
  const availableBytes = availableMemoryBytes(limit);
  const { peakBytes, streamed } = chooseTrainingWay(config, recipe, availableBytes);
  if (peakBytes > availableBytes) problems.push(memoryProblem(recipe, peakBytes, availableBytes, availableBytes === limit));

  let disk = { exports: 0, run: 0 };
  try {
    disk = estimateDiskBytes(config, planRecipe(config, recipe), recipe);
    // Pruning a model that is not in memory changes a copy of it on the disk.
    disk.run = Math.max(0, disk.run + (streamed ? 4 * countParameters(config) : 0) - writtenBytes);
  } catch (error) {
    problems.push(asProblem(error));
  }
  let freeDiskBytes = 0;
  try {
    const [out, runs] = await Promise.all([volumeOf(recipe.out), volumeOf(runsFolder)]);
    freeDiskBytes = out.freeBytes;
    const shared = out.id === runs.id;
    const needed = disk.exports + (shared ? disk.run : 0);
    if (needed > out.freeBytes) problems.push(diskProblem(recipe.out, needed, out.freeBytes));
    if (!shared && disk.run > runs.freeBytes) problems.push(diskProblem(runsFolder, disk.run, runs.freeBytes));
  } catch (error) {
    problems.push(asProblem(error));
  }
  return { peakBytes, availableBytes, diskBytes: Math.round(disk.exports + disk.run), freeDiskBytes, problems };
}

/** Throws the error that an estimate's problems amount to, if there is one. */
export function refuseIfImpossible(estimate: Needs): void {
  const errors = estimate.problems.filter((problem) => problem.severity === 'error');
  const [first] = errors;
  if (first === undefined) return;
  const message = errors.map((problem) => problem.message).join('\n');
  const hints = errors.flatMap((problem) => (problem.hint === undefined ? [] : [problem.hint]));
  const options = {
    details: { neededBytes: estimate.peakBytes, availableBytes: estimate.availableBytes, problems: errors.map((problem) => problem.code), ...(first.file !== undefined && { file: first.file }) },
    ...(hints.length === 0 ? {} : { hint: hints.join(' ') }),
  };
  switch (first.code) {
    case 'memory':
    case 'disk':
      throw new ResourceError(first.code, message, options);
    case 'plan':
      throw new PlanError(message, options);
    case 'not-found':
      throw new AppError('not-found', message, options);
    case 'unsupported':
      throw new UnsupportedError(message, options);
    case 'text':
      throw new TextError(message, options);
    case 'format':
      throw new FormatError(message, options);
    default:
      throw new UsageError(message, options);
  }
}

/**
 * The widths, or totals, that a recipe leads to.
 * @throws PlanError as `planWidths`, and for locks of layers that the model does not have.
 */
export function planRecipe(config: ModelConfig, recipe: Recipe): WidthBudget {
  return planWidths(config, recipe.size, recipe.mode, firstTarget(recipe), resolveLocks(config, recipe.locks));
}

/** The first export target: the one that a size in bytes is about. */
export function firstTarget(recipe: Recipe): Recipe['exports'][number] {
  return recipe.exports[0] ?? { format: 'safetensors', dtype: 'F16' };
}

async function checkPaths(recipe: Recipe): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const source of recipe.sources) {
    try {
      if (!(await stat(source.path)).isFile()) {
        problems.push({ severity: 'error', code: 'usage', message: `${source.path} is not a file.`, hint: 'Choose text files, one by one.' });
      }
    } catch (error) {
      problems.push(asProblem(error));
    }
  }
  const names = recipe.sources.map((source) => source.name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  if (twice.length > 0) {
    problems.push({
      severity: 'error', code: 'usage', message: `Two texts have the same name: ${[...new Set(twice)].join(', ')}.`,
      hint: 'Give each text its own name.',
    });
  }
  if (existsSync(recipe.out)) {
    let names: string[] | null = null;
    try {
      names = await readdir(recipe.out);
    } catch {
      // A file, or a folder that may not be read: not a place for results either way.
    }
    if (names === null || names.length > 0) {
      problems.push({
        severity: 'error', code: 'usage',
        message: `${recipe.out} ${names === null ? 'is not a folder that can be used' : 'is not empty'}.`,
        hint: 'Choose a folder that does not exist yet: nothing of yours is ever overwritten.',
      });
    }
  }
  return problems;
}

function memoryProblem(recipe: Recipe, needed: number, available: number, isUsersLimit: boolean): Problem {
  const { length } = recipe.training;
  const first = isUsersLimit ? 'Allow more memory' : 'Close other programs';
  return {
    severity: 'error',
    code: 'memory',
    message: `This needs about ${inGigabytes(needed)} of memory; ${inGigabytes(available)} ${isUsersLimit ? 'may be used' : 'is free'}.`,
    hint: length > 64 ? `${first}, or choose shorter texts (now ${length} tokens).` : `${first}, or choose a smaller model.`,
  };
}

function diskProblem(path: string, needed: number, free: number): Problem {
  return {
    severity: 'error',
    code: 'disk',
    message: `This needs about ${inGigabytes(needed)} on the disk of ${path}; ${inGigabytes(free)} is free.`,
    hint: 'Free some space, or choose a folder on another disk.',
  };
}

/** An error as a problem of the estimate. */
export function asProblem(error: unknown): Problem {
  const { code, message, hint, details } = toAppError(error);
  const file = details['file'];
  return { severity: 'error', code, message, ...(hint === undefined ? {} : { hint }), ...(typeof file === 'string' && { file }) };
}

function inGigabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
