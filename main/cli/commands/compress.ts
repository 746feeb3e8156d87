/** `shear compress`: the main job. */
import type { Command } from '../command';
import { recipeFromArguments } from '../recipe-options';
import { resumeRun, runOutcome, runRecipe, unfinishedRun } from '../run-command';

export const compress: Command = {
  name: 'compress',
  summary: 'Make a model smaller and let it recover',
  usage: [
    'MODEL --out DIR --ratio R [--data FILE[:WEIGHT]]… [options]',
    'MODEL --out DIR --target-bytes N [options]',
    'MODEL --out DIR --parameters N [options]',
    'MODEL --out DIR --fits SIZE [--context TOKENS] [options]',
    '[MODEL] --recipe FILE [--out DIR] [options]',
  ],
  options: {
    out: { type: 'string' },
    ratio: { type: 'string' },
    'target-bytes': { type: 'string' },
    parameters: { type: 'string' },
    fits: { type: 'string' },
    context: { type: 'string' },
    lock: { type: 'string', multiple: true },
    recipe: { type: 'string' },
    data: { type: 'string', multiple: true },
    columns: { type: 'string' },
    ids: { type: 'string', multiple: true },
    'budget-tokens': { type: 'string' },
    seed: { type: 'string' },
    mode: { type: 'string' },
    format: { type: 'string', multiple: true },
    dtype: { type: 'string' },
    prompt: { type: 'string', multiple: true },
    batch: { type: 'string' },
    length: { type: 'string' },
    memory: { type: 'string' },
    resume: { type: 'boolean' },
  },
  help: [
    { usage: '--out DIR', about: 'folder for the result; it must not exist or be empty' },
    { usage: '--ratio R', about: 'how much of the layers goes, from 0 to 0.9 (0.2 is a fifth)' },
    { usage: '--target-bytes N', about: 'or: the largest size of the weights in the result' },
    { usage: '--parameters N', about: 'or: the most parameters of the result, for example 100M' },
    { usage: '--fits SIZE', about: 'or: the memory that the result has to run in, for example 8GB: weights, --context and 0.5 GB for the program' },
    { usage: '--context TOKENS', about: 'length of the text to make room for with --fits; 4096 unless given' },
    { usage: '--recipe FILE', about: 'or: a recipe (JSON), as a report shows it; options override it' },
    { usage: '--data FILE[:WEIGHT]', about: 'text that the model should stay good at (.txt, .md, .jsonl, .json, .csv, .tsv, .parquet); repeat; starter texts unless given' },
    { usage: '--columns C', about: 'columns of the tables among --data, where their names do not tell: text=NAME, question=NAME,answer=NAME or messages=NAME' },
    { usage: '--ids [NAME=]FILE', about: 'the same as token ids: JSON, one array, or an array of arrays' },
    { usage: '--budget-tokens N', about: 'tokens to train on; 131072 unless given; 0 prunes without training' },
    { usage: '--mode M', about: 'everywhere (the default: opens in all programs) or quality (each layer its own width)' },
    { usage: '--lock LAYERS:PART', about: 'keep this whole: 3:mlp, 1-2:attention, last:* (layers count from 1, or first, last, *; parts attention, mlp, *); repeat' },
    { usage: '--format F', about: 'safetensors (the default), gguf or onnx; repeat for several' },
    { usage: '--dtype D', about: 'F16 (the default), F32 or BF16; with --format gguf also Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_0 and their like' },
    { usage: '--prompt TEXT', about: 'let both models continue this in the report; repeat for several' },
    { usage: '--seed N', about: 'the same seed gives the same result; 0 unless given' },
    { usage: '--batch N', about: 'pieces of text in one training step; 4 unless given; fewer take less memory' },
    { usage: '--length N', about: 'tokens in one piece of text; 256 unless given; shorter ones take less memory' },
    { usage: '--memory SIZE', about: 'use at most this much memory, for example 4GB; SHEAR_MEMORY_LIMIT, or all that is free, unless given' },
    { usage: '--resume', about: 'continue an unfinished run into the same --out, if there is one, with the settings that it was started with' },
  ],
  notes: ['Ctrl-C stops cleanly: nothing is left in DIR, and --resume goes on from where it was, two minutes of work lost at most.'],
  async run(args, context) {
    if (args.flag('resume')) {
      const out = args.path(args.required('out'));
      const stopped = await unfinishedRun(out, context.runsFolder);
      if (stopped !== null) return runOutcome(await resumeRun(stopped, context), out, context.cwd);
    }
    const recipe = await recipeFromArguments(args);
    return runOutcome(await runRecipe(recipe, context), recipe.out, context.cwd);
  },
};
