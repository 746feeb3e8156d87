/** Evaluate: perplexity of the recovered model beside the earlier two, answers of both models, and their speed. */
import { generate } from '../../evaluation/generate';
import type { Executor } from '../../execution/executor';
import type { LoadedModel } from '../../execution/loaded-model';
import { loadCheckpointTokenizer } from '../checkpoint-tokenizer';
import { continueText } from '../generate-text';
import { EVALUATION_FILE, type Evaluation } from '../stage-data';
import { withExecutor } from '../use-model';
import type { RunContext, Step } from '../step';
import { loadFullModel, measureSources, readSources, withCheckpoint } from './shared';
import { MEASURE_FILE, measureSchema, PLAN_FILE, planSchema, PRUNED_MEASURE_FILE } from './stage-files';
import { loadStageModel } from './stage-model';

/** New tokens of each sample text. */
const SAMPLE_TOKENS = 60;
/** Tokens of each run that measures speed. */
const SPEED_TOKENS = 24;
const SPEED_RUNS = 5;
const CHECK_TOKENS = 256;

export const evaluateStep: Step = {
  stage: 'evaluate',
  run: (context, report) =>
    withExecutor(context.threads, async (executor) => {
      const { folder } = context;
      const full = await folder.readJson(MEASURE_FILE, measureSchema);
      const pruned = await folder.readJson(PRUNED_MEASURE_FILE, measureSchema);
      const plan = await folder.readJson(PLAN_FILE, planSchema);
      const sources = await readSources(context);
      const recovered = await loadStageModel(folder, 'recovered');
      const measured = await measureSources(context, executor, recovered, 'recovered', ({ done, total }) => {
        report({ done: (0.5 * done) / total, total: 1 });
      });
      const original = await loadFullModel(context);
      const ids = sources[0]?.heldBack[0]?.slice(0, CHECK_TOKENS) ?? [];
      const speed = await compareSpeeds(executor, original, recovered, ids);
      report({ done: 0.6, total: 1 });
      const evaluation: Evaluation = {
        perplexities: measured.losses.map(({ source, nll, tokens }, index) => ({
          source,
          tokens,
          full: Math.exp(full.losses[index]?.nll ?? 0),
          pruned: Math.exp(pruned.losses[index]?.nll ?? 0),
          recovered: Math.exp(nll),
        })),
        samples: await writeSamples(context, executor, original, recovered, (share) => {
          report({ done: 0.6 + 0.4 * share, total: 1 });
        }),
        layers: original.config.layers.map((before, layer) => {
          const after = recovered.config.layers[layer] ?? before;
          const locked = plan.groups.some((group) => group.layer === layer && group.locked);
          return { kvHeads: after.kvHeads, kvHeadsBefore: before.kvHeads, ffn: after.ffn, ffnBefore: before.ffn, locked };
        }),
        tokensPerSecond: speed,
        checkIds: ids,
      };
      await folder.writeJson(EVALUATION_FILE, evaluation);
    }),
};

/**
 * Tokens a second of two models while writing: medians of a few runs each, in turns, so that what else the machine does
 * and what is still warming up meets both alike.
 */
async function compareSpeeds(
  executor: Executor,
  before: LoadedModel,
  after: LoadedModel,
  ids: readonly number[],
): Promise<Evaluation['tokensPerSecond']> {
  const speeds = { before: [] as number[], after: [] as number[] };
  for (let run = 0; run <= SPEED_RUNS; run++) {
    for (const [side, model] of [['before', before], ['after', after]] as const) {
      const options = { tokens: SPEED_TOKENS, seed: 0, temperature: 0, eosIds: [] };
      const { tokensPerSecond } = await generate(executor, model, ids.slice(0, 16), options);
      if (run > 0) speeds[side].push(tokensPerSecond);
    }
  }
  const median = (values: number[]): number => values.sort((x, y) => x - y)[Math.floor(values.length / 2)] ?? 0;
  return { before: median(speeds.before), after: median(speeds.after) };
}

/** Each prompt continued by both models with the same seed. */
async function writeSamples(
  context: RunContext,
  executor: Executor,
  original: LoadedModel,
  recovered: LoadedModel,
  onShare: (share: number) => void,
): Promise<Evaluation['samples']> {
  const { recipe, signal } = context;
  if (recipe.prompts.length === 0) return [];
  const tokenizer = await withCheckpoint(context, loadCheckpointTokenizer);
  const samples: Evaluation['samples'] = [];
  for (const [index, prompt] of recipe.prompts.entries()) {
    const complete = async (model: LoadedModel): Promise<string> => {
      const usable = { model, tokenizer, eosIds: tokenizer.eosIds };
      return (await continueText(executor, usable, prompt, { tokens: SAMPLE_TOKENS, seed: recipe.seed, temperature: 0, signal })).text;
    };
    samples.push({ prompt, before: await complete(original), after: await complete(recovered) });
    onShare((index + 1) / recipe.prompts.length);
  }
  return samples;
}
