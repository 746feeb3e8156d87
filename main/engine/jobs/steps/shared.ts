/** What several steps do alike: open the model, hold an executor, measure the sources, count steps, draw batches. */
import { defaultLearningRate, type Recipe } from '../../../../preload/contract/recipe';
import type { Phase } from '../../../../preload/contract/run';
import { BatchSampler } from '../../data/batch-sampler';
import type { Executor } from '../../execution/executor';
import { loadModel, streamModel, type ExecutableModel } from '../../execution/loaded-model';
import { measureWindows } from '../../evaluation/perplexity';
import { openCheckpoint, type Checkpoint } from '../../model/checkpoint';
import { countLinearParameters, type ModelConfig } from '../../model/config';
import type { ModelView } from '../../model/view';
import { Random } from '../../support/random';
import type { OnProgress } from '../../support/progress';
import { LoraDropout } from '../../training/dropout';
import type { TrainerOptions } from '../../training/trainer';
import { reachableMemoryBytes } from '../machine';
import type { RunContext } from '../step';
import { chooseTrainingWay, trainingWaySchema, type TrainingWay } from '../training-way';
import { BLOCKS_FILE, blocksSchema, type BlockSource, type Measure } from './stage-files';
import { openStageModel, removeStageModel, saveStageModel, type StageModel } from './stage-model';

/** What opening a recipe's model takes. */
export type ModelContext = Pick<RunContext, 'recipe' | 'signal' | 'memoryLimitBytes'> & Partial<Pick<RunContext, 'once' | 'emit'>>;

/** Runs work with the recipe's model open. */
export async function withCheckpoint<Result>(context: Pick<ModelContext, 'recipe'>, work: (checkpoint: Checkpoint) => Promise<Result>): Promise<Result> {
  const checkpoint = await openCheckpoint(context.recipe.model);
  try {
    return await work(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** A model ready to compute with, and how that is done on the memory at hand. */
export interface ReadyModel {
  readonly model: ExecutableModel;
  readonly way: TrainingWay;
}

/** Runs work with the recipe's model: in memory, or with layers read from its files where memory is too short for that. */
export function withFullModel<Result>(context: ModelContext, work: (ready: ReadyModel) => Promise<Result>): Promise<Result> {
  return withCheckpoint(context, async (checkpoint) => work(await makeReady(context, checkpoint)));
}

/**
 * Runs work with weights that can be changed, those of the recipe's model or of what a stage left (`from`): in memory, or in
 * a copy in the run's folder that is gone afterwards.
 */
export function withWorkingModel<Result>(context: RunContext, from: StageModel | null, work: (ready: ReadyModel) => Promise<Result>): Promise<Result> {
  const { folder, signal } = context;
  const prepared = async (view: ModelView): Promise<Result> => {
    const way = await wayFor(context, view.config);
    if (!way.streamed) return work(await makeReady(context, view, way));
    try {
      await saveStageModel(folder, 'working', view, signal);
      return await withStageModel(context, 'working', work, way);
    } finally {
      await removeStageModel(folder, 'working');
    }
  };
  return from === null ? withCheckpoint(context, prepared) : withStageView(context, from, prepared);
}

/** Runs work with what a stage left: done in this way, or in one that fits. */
export function withStageModel<Result>(
  context: RunContext,
  name: StageModel,
  work: (ready: ReadyModel) => Promise<Result>,
  way?: TrainingWay,
): Promise<Result> {
  return withStageView(context, name, async (view) => work(await makeReady(context, view, way)));
}

async function withStageView<Result>({ folder }: RunContext, name: StageModel, work: (view: ModelView) => Promise<Result>): Promise<Result> {
  const view = await openStageModel(folder, name);
  try {
    return await work(view);
  } finally {
    await view.close();
  }
}

async function makeReady(context: ModelContext, view: ModelView, given?: TrainingWay): Promise<ReadyModel> {
  const way = given ?? (await wayFor(context, view.config));
  return { way, model: way.streamed ? await streamModel(view) : await loadModel(view, { signal: context.signal }) };
}

/** The way that a stage of a run decided on when it began, as long as the memory at hand allows it. */
async function wayFor({ recipe, memoryLimitBytes, once, emit }: ModelContext, config: ModelConfig): Promise<TrainingWay> {
  const reachable = reachableMemoryBytes(memoryLimitBytes);
  const chosen = chooseTrainingWay(config, recipe, reachable);
  if (once === undefined) return chosen;
  const decided = await once(`way with ${countLinearParameters(config)} weights`, trainingWaySchema, () => Promise.resolve(chosen));
  if (decided.peakBytes <= reachable || decided.peakBytes <= chosen.peakBytes) return decided;
  emit?.({ type: 'note', text: 'There is less memory than when this stage began: it goes on more frugally, and its last digits may differ.' });
  return chosen;
}

/** The sources of a run as the prepare step packed them. */
export async function readSources(context: RunContext): Promise<readonly BlockSource[]> {
  return (await context.folder.readJson(BLOCKS_FILE, blocksSchema)).sources;
}

/** Which blocks of a source are measured. */
export type MeasuredBlocks = 'heldBack' | 'validation';

/** Mean loss of each source on some of its blocks that are not trained on. */
export async function measureBlocks(
  context: RunContext,
  executor: Executor,
  { model, way }: ReadyModel,
  blocks: MeasuredBlocks,
  report: OnProgress,
): Promise<Measure> {
  const sources = await readSources(context);
  const losses: Measure['losses'] = [];
  const total = sources.reduce((sum, source) => sum + source[blocks].length, 0);
  let before = 0;
  for (const source of sources) {
    const { nll, tokens } = await measureWindows(executor, model, source[blocks], {
      batch: way.microBatch,
      signal: context.signal,
      onProgress: ({ done }) => {
        report({ done: before + done, total });
      },
    });
    before += source[blocks].length;
    losses.push({ source: source.name, nll, tokens });
  }
  return { losses };
}

/** Mean loss of each source on its held-back blocks; tells each as a perplexity event. */
export async function measureSources(
  context: RunContext,
  executor: Executor,
  ready: ReadyModel,
  phase: Phase,
  report: OnProgress,
): Promise<Measure> {
  const measure = await measureBlocks(context, executor, ready, 'heldBack', report);
  for (const { source, nll } of measure.losses) context.emit({ type: 'perplexity', phase, source, step: 0, perplexity: Math.exp(nll) });
  return measure;
}

/** How the token budget is shared out, in optimiser steps. */
export interface StepBudget {
  readonly warmup: number;
  readonly pruning: number;
  readonly recovery: number;
}

/** `length` is the blocks' own: shorter than the recipe's where the model reads less. */
export function stepBudget({ budgetTokens, training, method }: Recipe, length: number): StepBudget {
  const steps = Math.floor(budgetTokens / (training.batch * length));
  const warmup = Math.round(steps * method.warmupShare);
  const pruning = Math.min(steps - warmup, Math.round(steps * method.pruningShare));
  return { warmup, pruning, recovery: steps - warmup - pruning };
}

/** Ids of a training block. */
export function blockLength(sources: readonly BlockSource[]): number {
  return sources[0]?.training[0]?.length ?? 1;
}

/** The recipe's learning rate, or the one that fits the model's width. */
export function learningRateFor({ training }: Recipe, hidden: number): number {
  return training.learningRate ?? defaultLearningRate(hidden);
}

/** Batches of training blocks in rows, drawn by `weights` (by default the user's). */
export function createSampler(sources: readonly BlockSource[], seed: number): BatchSampler {
  const weights = Object.fromEntries(sources.map(({ name, weight }) => [name, weight]));
  return new BatchSampler(
    sources.map(({ name, training }) => ({ name, blocks: training.map((ids) => Int32Array.from(ids)) })),
    weights,
    seed,
  );
}

/** The next batch of a sampler as rows of ids. */
export function drawRows(sampler: BatchSampler, batch: number): Int32Array[] {
  const { ids, length } = sampler.next(batch);
  return Array.from({ length: batch }, (_, row) => ids.subarray(row * length, (row + 1) * length));
}

/** The recipe's dropout as a trainer wants it; the same seed drops the same. */
export function dropoutFor({ training }: Recipe, seed: number): Pick<TrainerOptions, 'dropout'> {
  return training.dropout === 0 ? {} : { dropout: new LoraDropout(training.dropout, Random.fromSeed(seed)) };
}
