/** Prune: LHSPG shrinks the redundant units (Algorithm 4), then the smaller model is made and measured. */
import { createAdapter } from '../../execution/adapter';
import type { Executor } from '../../execution/executor';
import { asView, type ExecutableModel } from '../../execution/loaded-model';
import { mergedView } from '../../execution/merge';
import { LINEAR_ROLES, type ModelConfig } from '../../model/config';
import { samplerStateSchema } from '../../data/batch-sampler';
import { compensate, compensationBytes } from '../../pruning/compensate';
import { mergesIn, runLhspg } from '../../pruning/lhspg';
import { lockedBy, plannedGroup, type PruningPlan } from '../../pruning/plan';
import { slicedView } from '../../pruning/sliced-view';
import { findUnitGroups } from '../../pruning/units';
import { keepingAlso } from '../../support/checkpoint';
import { VerificationError } from '../../support/errors';
import type { OnProgress } from '../../support/progress';
import { Random } from '../../support/random';
import { planRecipe } from '../estimate';
import { withExecutor } from '../use-model';
import type { RunContext, Step } from '../step';
import { blockLength, createSampler, drawRows, dropoutFor, learningRateFor, measureSources, readSources, stepBudget, withStageModel, withWorkingModel, type ReadyModel } from './shared';
import { ANALYSIS_FILE, analysisSchema, PLAN_FILE, PRUNED_MEASURE_FILE } from './stage-files';
import { removeStageModel, saveStageModel, type StageModel } from './stage-model';

/** Memory for what the refit keeps of all its tokens. */
const COMPENSATION_BYTES = 400e6;

/** Removed units are exactly zero, so that slicing them away changes only the order of sums. */
const SLICE_TOLERANCE = 1e-3;

/** The part of the stage after which what goes is decided; then comes the refit, where the recipe asks for it. */
const SHRINK = 'shrink';
const REFIT = 'refit';

export const pruneStep: Step = {
  stage: 'prune',
  run: (context, report) =>
    withExecutor(context.threads, async (executor) => {
      const { recipe, folder, checkpoint, signal } = context;
      const checkIds = (await readSources(context))[0]?.heldBack[0] ?? [];
      const refits = recipe.method.compensation === 'refit';
      const left: StageModel = refits ? 'sliced' : 'pruned';
      const zeroed = checkpoint.savedPhase === REFIT ? null : await shrinkModel(context, executor, { left, checkIds, report });
      const finish = async (ready: ReadyModel): Promise<void> => {
        if (zeroed !== null) {
          checkSlice(zeroed, await runOnce(executor, ready.model, checkIds));
          await checkpoint.keep(REFIT, { data: null, arrays: {} });
          for (const merges of [0, 1]) await removeStageModel(folder, keptModel(merges));
        }
        if (refits) {
          await refit(context, executor, ready, ({ done, total }) => {
            report({ done: 0.8 + (0.1 * done) / total, total: 1 });
          });
          await saveStageModel(folder, 'pruned', asView(ready.model), signal);
        }
        const measured = await measureSources(context, executor, ready, 'pruned', ({ done, total }) => {
          report({ done: 0.9 + (0.1 * done) / total, total: 1 });
        });
        await folder.writeJson(PRUNED_MEASURE_FILE, measured);
      };
      await (refits ? withWorkingModel(context, left, finish) : withStageModel(context, left, finish));
    }),
  async cleanUp(folder, { recovery }) {
    for (const name of ['working', 'keptEven', 'keptOdd', 'sliced'] as const) await removeStageModel(folder, name);
    // Recovery's teacher, where it has one.
    if (recovery.distillation === 0) await removeStageModel(folder, 'adapted');
  },
};

/** Runs LHSPG, leaves the plan and the smaller model under the name `left`, and answers what the model with zeroed units gives for `checkIds`. */
async function shrinkModel(
  context: RunContext,
  executor: Executor,
  { left, checkIds, report }: { readonly left: StageModel; readonly checkIds: readonly number[]; readonly report: OnProgress },
): Promise<Float32Array> {
  const { recipe, folder, signal } = context;
  const sources = await readSources(context);
  const sampler = createSampler(sources, recipe.seed + 1);
  let merges = 0;
  const checkpoint = keepingAlso(
    // The weights that the state before went with are of no use once the new one is written.
    context.checkpoint.phase(SHRINK, () => removeStageModel(folder, keptModel(merges + 1))),
    samplerStateSchema,
    sampler,
  );
  if (checkpoint.saved !== null) merges = mergesIn(checkpoint.saved);
  return withWorkingModel(context, merges === 0 ? null : keptModel(merges), async ({ model, way }) => {
    const analysis = await folder.readJson(ANALYSIS_FILE, analysisSchema);
    const groups = findUnitGroups(model.config);
    const steps = stepBudget(recipe, blockLength(sources));
    const adapter = createAdapter(model.config, {
      rank: recipe.training.rank,
      alpha: recipe.training.alpha,
      targets: LINEAR_ROLES,
      random: Random.fromSeed(recipe.seed),
    });
    const plan = await runLhspg(executor, model, adapter, groups, {
      settings: recipe.method,
      budget: planRecipe(model.config, recipe),
      locked: analysis.locked,
      measured: analysis.unitDeviations,
      gates: analysis.gates.map(({ attention, mlp }) => ({ attention: Float32Array.from(attention), mlp: Float32Array.from(mlp) })),
      warmupSteps: steps.warmup,
      pruningSteps: steps.pruning,
      learningRate: learningRateFor(recipe, model.config.hidden),
      trainer: { ...way, ...dropoutFor(recipe, recipe.seed + 4) },
      nextBatch: () => drawRows(sampler, recipe.training.batch),
      signal,
      checkpoint,
      keepWeights: async (times) => {
        await saveStageModel(folder, keptModel(times), asView(model), signal);
        merges = times;
      },
      ...((recipe.method.compensation === 'refit' || recipe.recovery.distillation > 0) && { onWarm: () => saveStageModel(folder, 'adapted', mergedView(asView(model), adapter), signal) }),
      onStep: ({ done, total, loss }) => {
        context.emit({ type: 'loss', stage: 'prune', step: done, loss });
        report({ done: done * 0.8, total });
      },
    });
    const pruned = slicedView(asView(model), groups, plan);
    tellLayers(context, model.config, plan);
    await folder.writeJson(PLAN_FILE, plan);
    await saveStageModel(folder, left, pruned, signal);
    return runOnce(executor, model, checkIds);
  });
}

/** Where weights are kept after so many changes of them all: in turn, so that those of the state before stay until the next is written. */
function keptModel(merges: number): StageModel {
  return merges % 2 === 0 ? 'keptEven' : 'keptOdd';
}

/** Lets the smaller model's stream follow that of the full model after its warm-up on training blocks. */
async function refit(context: RunContext, executor: Executor, { model, way }: ReadyModel, report: OnProgress): Promise<void> {
  const { recipe, checkpoint, signal, threads } = context;
  const { compensationTokens, compensationRidge: ridge } = recipe.method;
  const sources = await readSources(context);
  const length = blockLength(sources);
  const blocks = sources.reduce((sum, { training }) => sum + training.length, 0);
  const count = Math.min(blocks, Math.max(1, Math.floor(Math.min(compensationTokens, COMPENSATION_BYTES / compensationBytes(model.config)) / length)));
  const windows = drawRows(createSampler(sources, recipe.seed + 4), count);
  await withStageModel(
    context,
    'adapted',
    (full) => compensate(executor, full.model, model, { windows, batch: way.microBatch, ridge, threads, signal, checkpoint: checkpoint.phase(REFIT), onProgress: report }),
    way,
  );
}

/** The last layer's output [T, C] for one sequence. */
function runOnce(executor: Executor, model: ExecutableModel, ids: readonly number[]): Promise<Float32Array> {
  return executor.forwardBlocks(model, executor.embed(model, ids), { batch: 1, length: ids.length });
}

/** The sliced model must do what the model with zeroed units does. */
function checkSlice(expected: Float32Array, actual: Float32Array): void {
  let [difference, square] = [0, 0];
  expected.forEach((value, index) => {
    difference += (value - (actual[index] ?? Number.NaN)) ** 2;
    square += value * value;
  });
  const relative = Math.sqrt(difference / square);
  if (!(relative <= SLICE_TOLERANCE)) {
    throw new VerificationError(`The sliced model differs from the masked one by ${relative.toExponential(2)} of its size.`, {
      details: { relative, allowed: SLICE_TOLERANCE },
    });
  }
}

function tellLayers(context: RunContext, config: ModelConfig, plan: PruningPlan): void {
  config.layers.forEach((shape, layer) => {
    const attention = plannedGroup(plan, { layer, part: 'attention' });
    const mlp = plannedGroup(plan, { layer, part: 'mlp' });
    context.emit({
      type: 'layer',
      layer,
      kvHeads: attention?.kept.length ?? shape.kvHeads,
      kvHeadsBefore: shape.kvHeads,
      ffn: mlp?.kept.length ?? shape.ffn,
      ffnBefore: shape.ffn,
      locked: { attention: lockedBy(attention), mlp: lockedBy(mlp) },
    });
  });
}
