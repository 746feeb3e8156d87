/** Evaluate: perplexity of the recovered model beside the earlier two, answers of both models, and their speed. */
import { generate } from '../../evaluation/generate';
import type { Executor } from '../../execution/executor';
import type { ExecutableModel } from '../../execution/loaded-model';
import { loadCheckpointTokenizer } from '../checkpoint-tokenizer';
import { continueText } from '../generate-text';
import { EVALUATION_FILE, type Evaluation } from '../stage-data';
import { lockedBy, plannedGroup } from '../../pruning/plan';
import { withExecutor } from '../use-model';
import type { OnProgress } from '../../support/progress';
import type { RunContext, Step } from '../step';
import { measureSources, readSources, withCheckpoint, withFullModel, withStageModel, type ReadyModel } from './shared';
import { MEASURE_FILE, measureSchema, PLAN_FILE, planSchema, PRUNED_MEASURE_FILE } from './stage-files';

/** How much is written. */
interface Extent {
  /** New tokens of each sample text. */
  readonly sampleTokens: number;
  /** Tokens of each run that measures speed, and how many runs count. */
  readonly speedTokens: number;
  readonly speedRuns: number;
}
const EXTENT: Extent = { sampleTokens: 60, speedTokens: 24, speedRuns: 5 };
/** Each new token of a model whose layers are read from a file costs reading all of them. */
const STREAMED_EXTENT: Extent = { sampleTokens: 12, speedTokens: 3, speedRuns: 1 };
const CHECK_TOKENS = 256;

export const evaluateStep: Step = {
  stage: 'evaluate',
  run: (context, report) =>
    withExecutor(context.threads, (executor) =>
      withFullModel(context, (full) => withStageModel(context, 'recovered', (small) => evaluate(context, executor, full, small, report), full.way)),
    ),
};

async function evaluate(context: RunContext, executor: Executor, full: ReadyModel, small: ReadyModel, report: OnProgress): Promise<void> {
  const { folder } = context;
  const extent = full.way.streamed ? STREAMED_EXTENT : EXTENT;
  const fullLosses = await folder.readJson(MEASURE_FILE, measureSchema);
  const pruned = await folder.readJson(PRUNED_MEASURE_FILE, measureSchema);
  const plan = await folder.readJson(PLAN_FILE, planSchema);
  const sources = await readSources(context);
  const measured = await measureSources(context, executor, small, 'recovered', ({ done, total }) => {
    report({ done: (0.5 * done) / total, total: 1 });
  });
  const ids = sources[0]?.heldBack[0]?.slice(0, CHECK_TOKENS) ?? [];
  const speed = await compareSpeeds(executor, full.model, small.model, ids, extent);
  report({ done: 0.6, total: 1 });
  const evaluation: Evaluation = {
    perplexities: measured.losses.map(({ source, nll, tokens }, index) => ({
      source,
      tokens,
      full: Math.exp(fullLosses.losses[index]?.nll ?? 0),
      pruned: Math.exp(pruned.losses[index]?.nll ?? 0),
      recovered: Math.exp(nll),
    })),
    samples: await writeSamples(context, executor, full.model, small.model, extent, (share) => {
      report({ done: 0.6 + 0.4 * share, total: 1 });
    }),
    layers: full.model.config.layers.map((before, layer) => {
      const after = small.model.config.layers[layer] ?? before;
      const locked = { attention: lockedBy(plannedGroup(plan, { layer, part: 'attention' })), mlp: lockedBy(plannedGroup(plan, { layer, part: 'mlp' })) };
      return { kvHeads: after.kvHeads, kvHeadsBefore: before.kvHeads, ffn: after.ffn, ffnBefore: before.ffn, locked };
    }),
    tokensPerSecond: speed,
    checkIds: ids,
  };
  await folder.writeJson(EVALUATION_FILE, evaluation);
}

/**
 * Tokens a second of two models while writing: medians of a few runs each, in turns, so that what else the machine does
 * and what is still warming up meets both alike.
 */
async function compareSpeeds(
  executor: Executor,
  before: ExecutableModel,
  after: ExecutableModel,
  ids: readonly number[],
  { speedTokens, speedRuns }: Extent,
): Promise<Evaluation['tokensPerSecond']> {
  const speeds = { before: [] as number[], after: [] as number[] };
  for (let run = 0; run <= speedRuns; run++) {
    for (const [side, model] of [['before', before], ['after', after]] as const) {
      const options = { tokens: speedTokens, seed: 0, temperature: 0, eosIds: [] };
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
  original: ExecutableModel,
  recovered: ExecutableModel,
  { sampleTokens }: Extent,
  onShare: (share: number) => void,
): Promise<Evaluation['samples']> {
  const { recipe, signal } = context;
  if (recipe.prompts.length === 0) return [];
  const tokenizer = await withCheckpoint(context, loadCheckpointTokenizer);
  const samples: Evaluation['samples'] = [];
  for (const [index, prompt] of recipe.prompts.entries()) {
    const complete = async (model: ExecutableModel): Promise<string> => {
      const usable = { model, tokenizer, eosIds: tokenizer.eosIds };
      return (await continueText(executor, usable, prompt, { tokens: sampleTokens, seed: recipe.seed, temperature: 0, signal })).text;
    };
    samples.push({ prompt, before: await complete(original), after: await complete(recovered) });
    onShare((index + 1) / recipe.prompts.length);
  }
  return samples;
}
