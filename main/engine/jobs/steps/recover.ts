/** Recover: LoRA training of the smaller model on the dynamic mix (Algorithm 5), merged into its weights at the end. */
import * as v from 'valibot';
import { createAdapter } from '../../execution/adapter';
import { samplerStateSchema } from '../../data/batch-sampler';
import { asView } from '../../execution/loaded-model';
import { mergedView } from '../../execution/merge';
import { LINEAR_ROLES } from '../../model/config';
import { recover } from '../../recovery/recover';
import { keepingAlso } from '../../support/checkpoint';
import { Random } from '../../support/random';
import { int8Pays } from '../int8-probe';
import { withExecutor } from '../use-model';
import type { Step } from '../step';
import { blockLength, createSampler, drawRows, dropoutFor, learningRateFor, readSources, stepBudget, withStageModel } from './shared';
import { measureSchema, VALIDATION_FILE } from './stage-files';
import { saveStageModel } from './stage-model';

export const recoverStep: Step = {
  stage: 'recover',
  run: (context, report) =>
    withExecutor(context.threads, (executor) =>
      withStageModel(context, 'pruned', async ({ model, way }) => {
        const { recipe, folder, signal } = context;
        const sources = await readSources(context);
        const full = await folder.readJson(VALIDATION_FILE, measureSchema);
        const { recovery: steps } = stepBudget(recipe, blockLength(sources));
        const { rank, alpha, batch } = recipe.training;
        const adapter = createAdapter(model.config, { rank, alpha, targets: LINEAR_ROLES, random: Random.fromSeed(recipe.seed + 2) });
        const sampler = createSampler(sources, recipe.seed + 3);
        const checkpoint = keepingAlso(context.checkpoint.phase('train'), samplerStateSchema, sampler);
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
            settings: recipe.recovery,
            steps,
            // Here, other than while pruning, the weights stay as they are, and their 8-bit copies true. Those copies take
            // memory themselves, so not where the weights are too many.
            trainer: { ...way, ...dropoutFor(recipe, recipe.seed + 5), int8: !way.streamed && recipe.training.precision === 'fastest' && (await context.once('8 bits', v.boolean(), int8Pays)) },
            learningRate: learningRateFor(recipe, model.config.hidden),
            signal,
            checkpoint,
            nextBatch: (shares) => {
              sampler.setWeights(Object.fromEntries(sources.map(({ name }, index) => [name, shares[index] ?? 0])));
              return drawRows(sampler, batch);
            },
            onStep: ({ done, total, loss }) => {
              context.emit({ type: 'loss', stage: 'recover', step: done, loss });
              report({ done, total });
            },
            onRound: ({ round, step, shares, losses }) => {
              context.emit({ type: 'mix', round, weights: Object.fromEntries(sources.map(({ name }, index) => [name, shares[index] ?? 0])) });
              sources.forEach(({ name }, index) => {
                context.emit({ type: 'perplexity', phase: step === 0 ? 'pruned' : 'recovered', source: name, step, perplexity: Math.exp(losses[index] ?? 0) });
              });
            },
          },
        );
        await saveStageModel(folder, 'recovered', mergedView(asView(model), adapter), signal);
      }),
    ),
};
