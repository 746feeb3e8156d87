/** Measure: the full model's loss on the held-back blocks of each source, to which everything later is compared. */
import { withExecutor } from '../use-model';
import type { Step } from '../step';
import { measureBlocks, measureSources, withFullModel } from './shared';
import { MEASURE_FILE, VALIDATION_FILE } from './stage-files';

export const measureStep: Step = {
  stage: 'measure',
  run: (context, report) =>
    withExecutor(context.threads, (executor) =>
      withFullModel(context, async (ready) => {
        const validation = await measureBlocks(context, executor, ready, 'validation', ({ done, total }) => {
          report({ done, total: 2 * total });
        });
        await context.folder.writeJson(VALIDATION_FILE, validation);
        const measured = await measureSources(context, executor, ready, 'full', ({ done, total }) => {
          report({ done: total + done, total: 2 * total });
        });
        await context.folder.writeJson(MEASURE_FILE, measured);
      }),
    ),
};
