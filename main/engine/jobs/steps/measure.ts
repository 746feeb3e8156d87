/** Measure: the full model's loss on the held-back blocks of each source, to which everything later is compared. */
import { withExecutor } from '../use-model';
import type { Step } from '../step';
import { loadFullModel, measureSources } from './shared';
import { MEASURE_FILE } from './stage-files';

export const measureStep: Step = {
  stage: 'measure',
  run: (context, report) =>
    withExecutor(context.threads, async (executor) => {
      const model = await loadFullModel(context);
      await context.folder.writeJson(MEASURE_FILE, await measureSources(context, executor, model, 'full', report));
    }),
};
