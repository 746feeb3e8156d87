/** A short measurement of this machine: the model's first two layers and its head, forward and with gradients. */
import type { Recipe } from '../../../../preload/contract/recipe';
import { createAdapter } from '../../execution/adapter';
import type { LoadedModel } from '../../execution/loaded-model';
import { loadModel } from '../../execution/loaded-model';
import { measureWindows } from '../../evaluation/perplexity';
import { LINEAR_ROLES } from '../../model/config';
import type { ModelView } from '../../model/view';
import { LoraGradients } from '../../training/lora-gradients';
import { Random } from '../../support/random';
import { withExecutor } from '../use-model';
import type { Speed } from '../estimate';
import { int8Pays } from '../int8-probe';
import { defaultThreads } from '../machine';

/** Sequences of the probe; fewer than a batch, to keep it within seconds. */
const PROBE_SEQUENCES = 2;
const PROBE_RUNS = 3;

/** Speeds of the whole model, extrapolated from one and two of its layers. Takes a few seconds. */
export async function probeSpeed(view: ModelView, recipe: Recipe): Promise<Speed> {
  return withExecutor(defaultThreads(), async (executor) => {
    const { config } = view;
    const depth = Math.min(2, config.layers.length);
    const two = await loadModel({
      config: { ...config, layers: config.layers.slice(0, depth) },
      readGlobal: (role) => view.readGlobal(role),
      readLayer: (layer, role) => view.readLayer(layer, role),
    });
    const one: LoadedModel = { ...two, config: { ...two.config, layers: two.config.layers.slice(0, 1) }, layers: two.layers.slice(0, 1) };
    const random = Random.fromSeed(0);
    const length = Math.min(recipe.training.length, config.maxPositions);
    const sequences = Array.from({ length: PROBE_SEQUENCES }, () => Int32Array.from({ length }, () => random.nextInteger(config.vocabulary)));
    const tokens = PROBE_SEQUENCES * length;
    const { rank, alpha } = recipe.training;
    const train = (int8: boolean) => async (model: LoadedModel): Promise<unknown> => {
      const adapter = createAdapter(model.config, { rank, alpha, targets: LINEAR_ROLES, random });
      return new LoraGradients(executor, model, adapter, { int8 }).compute(sequences);
    };
    const forward = (model: LoadedModel): Promise<unknown> => measureWindows(executor, model, sequences, {});
    const whole = async (work: (model: LoadedModel) => Promise<unknown>): Promise<number> => {
      await work(two);
      const seconds = { one: await quickest(() => work(one)), two: await quickest(() => work(two)) };
      // What one layer more takes; a hiccup must not be multiplied by the depth, so never more than half of two layers.
      const perLayer = depth === 1 ? seconds.one : Math.min(Math.max(seconds.two - seconds.one, 0.1 * seconds.two), seconds.two / 2);
      return tokens / (seconds.one + (config.layers.length - 1) * perLayer);
    };
    const trainTokensPerSecond = await whole(train(false));
    const int8 = recipe.training.precision === 'fastest' && (await int8Pays());
    return {
      forwardTokensPerSecond: await whole(forward),
      trainTokensPerSecond,
      recoverTokensPerSecond: int8 ? await whole(train(true)) : trainTokensPerSecond,
    };
  });
}

/** Seconds of the quickest of a few runs: what else the machine does makes runs slower, never quicker. */
async function quickest(work: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < PROBE_RUNS; run++) {
    const started = performance.now();
    await work();
    best = Math.min(best, (performance.now() - started) / 1000);
  }
  return best;
}
