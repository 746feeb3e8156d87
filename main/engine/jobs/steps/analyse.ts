/** Analyse: scores every unit by gate gradients, then maps where each kind of knowledge sits (Algorithm 3). */
import { analyseModel } from '../analysis';
import { planRecipe } from '../estimate';
import type { Step } from '../step';
import { withExecutor } from '../use-model';
import { readSources, withFullModel } from './shared';
import { ANALYSIS_FILE } from './stage-files';

export const analyseStep: Step = {
  stage: 'analyse',
  run: (context, report) =>
    withExecutor(context.threads, (executor) =>
      withFullModel(context, async (ready) => {
        const { recipe, signal } = context;
        const sources = await readSources(context);
        const { kvGroupsRemoved } = planRecipe(ready.model.config, recipe);
        const analysis = await analyseModel(executor, ready, sources, recipe, {
          losesAttention: kvGroupsRemoved > 0,
          signal,
          phases: context.checkpoint,
          onProgress: report,
          onGroup: ({ layer, part }, { deviations }) => {
            sources.forEach(({ name }, index) => {
              context.emit({ type: 'knowledge', layer, part, source: name, deviation: deviations[index] ?? 0 });
            });
          },
        });
        await context.folder.writeJson(ANALYSIS_FILE, analysis);
      }),
    ),
};
