/** `shear example`: the whole job on the small model that comes with the program. */
import { exampleModel } from '../../engine/jobs/bundled';
import { completeRecipe } from '../../engine/jobs/recipe';
import type { Command } from '../command';
import { starterSources } from '../recipe-options';
import { runOutcome, runRecipe } from '../run-command';

export const example: Command = {
  name: 'example',
  summary: 'Do the whole job on the small model that comes with the program',
  usage: ['[--out DIR]'],
  options: { out: { type: 'string' } },
  help: [{ usage: '--out DIR', about: 'folder for the result; ./shear-example unless given' }],
  notes: ['It takes a minute or two and ends with a report to open in a browser and a model folder.'],
  async run(args, context) {
    args.noPath();
    const out = args.path(args.text('out') ?? 'shear-example');
    context.note('The example: a model that tells children\'s stories, a quarter of the weights in its layers removed, then trained to make up for it.');
    const recipe = completeRecipe({
      model: exampleModel(),
      size: { kind: 'ratio', ratio: 0.25 },
      // The model knows nothing but stories: most of its training is for them.
      sources: (await starterSources()).map((source, index) => ({ ...source, weight: index === 0 ? 6 : 1 })),
      budgetTokens: 196_608,
      out,
      exports: [{ format: 'safetensors', dtype: 'F16' }, { format: 'gguf', dtype: 'F16' }],
      prompts: ['Once upon a time', 'The little dog was'],
    });
    return runOutcome(await runRecipe(recipe, context), out, context.cwd);
  },
};
