/** `shear tasks`: how many questions of multiple-choice tasks a model gets right. */
import { measureTasks, type MeasuredTask, type TaskFile } from '../../engine/jobs/measure-tasks';
import { UsageError } from '../../engine/support/errors';
import type { Command } from '../command';
import { asCount, asPercent, columns } from '../words';

export const tasks: Command = {
  name: 'tasks',
  summary: 'Measure how many questions a model gets right (higher is better)',
  usage: ['MODEL --task NAME=FILE… [--limit N]'],
  options: { task: { type: 'string', multiple: true }, limit: { type: 'string' } },
  help: [
    { usage: '--task NAME=FILE', about: 'questions with choices (.jsonl, .json, .txt; .gz too); repeat for several' },
    { usage: '--limit N', about: 'only the first N questions of each task' },
  ],
  notes: [
    'Known names are piqa, hellaswag, winogrande, arc_easy, arc_challenge, openbookqa and boolq. Under any other name, rows',
    'have query, choices and gold (the place of the right choice, from 0), or context_options, continuation and gold.',
    'A choice counts by its probability after the question, no examples before it; the mean leaves boolq out.',
  ],
  async run(args, context) {
    const model = args.onePath('MODEL');
    const files = args.list('task').map((text): TaskFile => {
      const [, name, file] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
      if (name === undefined || file === undefined) {
        throw new UsageError(`--task needs NAME=FILE; found "${text}".`, { hint: 'For example --task piqa=valid.jsonl' });
      }
      return { name, path: args.path(file) };
    });
    if (files.length === 0) throw new UsageError('--task is missing.', { hint: 'For example --task piqa=valid.jsonl' });
    const measured = await measureTasks(model, files, {
      limit: args.number('limit', { least: 1, whole: true }),
      threads: context.threads, signal: context.signal, onProgress: context.progress('Measuring'),
    });
    return { json: measured, text: table(measured.tasks, measured.mean) };
  },
};

function table(measured: readonly MeasuredTask[], mean: number | null): string {
  const rows = measured.map((task) => [
    task.name, asPercent(task.accuracy), task.standardError === null ? '' : `± ${asPercent(task.standardError)}`, asCount(task.items),
  ]);
  const left = measured.filter(({ leftOut }) => leftOut !== null).map(({ name }) => name);
  const means = mean === null || measured.length < 2 ? [] : [[left.length === 0 ? 'mean' : `mean without ${left.join(', ')}`, asPercent(mean), '', '']];
  const shortened = measured.reduce((sum, task) => sum + task.shortened, 0);
  const cut = shortened === 0 ? [] : [`${asCount(shortened)} questions were longer than the model reads and lost their beginning.`];
  return [columns([['Task', 'Right', '', 'Questions'], ...rows, ...means]), ...cut].join('\n');
}
