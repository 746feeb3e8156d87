/**
 * Recover: LoRA training of the smaller model on the dynamic mix (Algorithm 5), merged into its weights at the end; where
 * the recipe asks for it in several links, each with a fresh adapter, and taught by the full model.
 */
import * as v from 'valibot';
import { createAdapter } from '../../execution/adapter';
import { samplerStateSchema } from '../../data/batch-sampler';
import type { Executor } from '../../execution/executor';
import { asView } from '../../execution/loaded-model';
import { mergedView } from '../../execution/merge';
import { LINEAR_ROLES } from '../../model/config';
import { recover } from '../../recovery/recover';
import { keepingAlso } from '../../support/checkpoint';
import type { OnProgress } from '../../support/progress';
import { Random } from '../../support/random';
import type { Teacher } from '../../training/lora-gradients';
import { int8Pays } from '../int8-probe';
import { withExecutor } from '../use-model';
import type { RunContext, Step } from '../step';
import { blockLength, createSampler, drawRows, dropoutFor, learningRateFor, readSources, stepBudget, withStageModel } from './shared';
import { measureSchema, VALIDATION_FILE, type BlockSource } from './stage-files';
import { removeStageModel, saveStageModel, type StageModel } from './stage-model';

/** Seeds of a run are consecutive numbers; those of its links are this far apart. */
const LINK_SEEDS = 1000;

export const recoverStep: Step = {
  stage: 'recover',
  run: (context, report) =>
    withExecutor(context.threads, async (executor) => {
      const { recipe, folder, checkpoint, signal } = context;
      const sources = await readSources(context);
      const { recovery: total } = stepBudget(recipe, blockLength(sources));
      const { links } = recipe.recovery;
      for (let link = linksDone(checkpoint.savedPhase); link < links; link++) {
        const [before, after] = [link, link + 1].map((count) => Math.floor((total * count) / links)) as [number, number];
        const isLast = link === links - 1;
        await withTeacher(context, after > before, (teacher) =>
          trainLink(context, executor, { link, before, steps: after - before, total, sources, teacher, left: isLast ? 'recovered' : linked(link + 1), report }),
        );
        if (isLast) return;
        await checkpoint.keep(doneName(link), { data: null, arrays: {} });
        if (link > 0) await removeStageModel(folder, linked(link));
        signal.throwIfAborted();
      }
    }),
  async cleanUp(folder) {
    for (const name of ['adapted', 'linkEven', 'linkOdd'] as const) await removeStageModel(folder, name);
  },
};

interface Link {
  readonly link: number;
  /** Steps of the links before, of this one, and of all. */
  readonly before: number;
  readonly steps: number;
  readonly total: number;
  readonly sources: readonly BlockSource[];
  readonly teacher: Teacher | null;
  /** The name under which the model with the trained adapter merged is left. */
  readonly left: StageModel;
  readonly report: OnProgress;
}

function trainLink(context: RunContext, executor: Executor, { link, before, steps, total, sources, teacher, left, report }: Link): Promise<void> {
  return withStageModel(context, link === 0 ? 'pruned' : linked(link), async ({ model, way }) => {
    const { recipe, folder, signal } = context;
    const full = await folder.readJson(VALIDATION_FILE, measureSchema);
    const { rank, alpha, batch } = recipe.training;
    const seed = recipe.seed + link * LINK_SEEDS;
    const adapter = createAdapter(model.config, { rank, alpha, targets: LINEAR_ROLES, random: Random.fromSeed(seed + 2) });
    const sampler = createSampler(sources, seed + 3);
    const checkpoint = keepingAlso(context.checkpoint.phase(linkName(link)), samplerStateSchema, sampler);
    const { rounds } = recipe.recovery;
    await recover(
      executor,
      model,
      adapter,
      sources.map(({ name, weight, stage, validation }, index) => ({
        name,
        weight,
        stage,
        validation,
        fullLoss: full.losses[index]?.nll ?? 0,
      })),
      {
        settings: { ...recipe.recovery, rounds: Math.max(1, Math.round(rounds / recipe.recovery.links)) },
        steps,
        // Here, other than while pruning, the weights stay as they are, and their 8-bit copies true. Those copies take
        // memory themselves, so not where the weights are too many.
        trainer: {
          ...way,
          ...dropoutFor(recipe, seed + 5),
          ...(teacher && { teacher }),
          int8: !way.streamed && recipe.training.precision === 'fastest' && (await context.once('8 bits', v.boolean(), int8Pays)),
        },
        learningRate: learningRateFor(recipe, model.config.hidden),
        signal,
        checkpoint,
        nextBatch: (shares) => {
          sampler.setWeights(Object.fromEntries(sources.map(({ name }, index) => [name, shares[index] ?? 0])));
          return drawRows(sampler, batch);
        },
        onStep: ({ done, loss }) => {
          context.emit({ type: 'loss', stage: 'recover', step: before + done, loss });
          report({ done: before + done, total });
        },
        onRound: ({ round, step, shares, losses }) => {
          context.emit({ type: 'mix', round, weights: Object.fromEntries(sources.map(({ name }, index) => [name, shares[index] ?? 0])) });
          sources.forEach(({ name }, index) => {
            const phase = before + step === 0 ? 'pruned' : 'recovered';
            context.emit({ type: 'perplexity', phase, source: name, step: before + step, perplexity: Math.exp(losses[index] ?? 0) });
          });
        },
      },
    );
    await saveStageModel(folder, left, mergedView(asView(model), adapter), signal);
  });
}

/** Runs work with the full model after its warm-up as a teacher, if there is training and the recipe asks for one. */
function withTeacher(context: RunContext, trains: boolean, work: (teacher: Teacher | null) => Promise<void>): Promise<void> {
  const share = context.recipe.recovery.distillation;
  if (share === 0 || !trains) return work(null);
  return withStageModel(context, 'adapted', ({ model }) => work({ model, share }));
}

function linkName(link: number): string {
  return `link ${link}`;
}

function doneName(link: number): string {
  return `after link ${link}`;
}

/** How many links an earlier attempt had finished, by the phase that it came to. */
function linksDone(phase: string | null): number {
  const [, done, number] = /^(after )?link (\d+)$/.exec(phase ?? '') ?? [];
  return number === undefined ? 0 : Number(number) + (done === undefined ? 0 : 1);
}

/** Where the weights are that a link starts from: in turn, so that those before stay until the next are written. */
function linked(link: number): StageModel {
  return link % 2 === 0 ? 'linkEven' : 'linkOdd';
}
