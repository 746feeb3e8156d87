/** Accuracy of a model on multiple-choice tasks, by the protocol that makes figures comparable: no examples, no special tokens, first items first. */
import { taskNamed, type Accuracy, type Task } from '../evaluation/tasks';
import { readTaskItems, type TaskItem } from '../evaluation/tasks-items';
import { scoreTask, type TaskScore } from '../evaluation/tasks-score';
import type { OnProgress } from '../support/progress';
import { withExecutor, withUsableModel } from './use-model';

export interface TaskFile {
  /** The task's name; one that is not known is read by the fields of its rows. */
  readonly name: string;
  readonly path: string;
}

export interface MeasureTasksOptions {
  /** Only the first so many items of each task. */
  readonly limit?: number | undefined;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface MeasuredTask extends TaskScore {
  readonly name: string;
  readonly path: string;
  /** Which of the two accuracies counts. */
  readonly counts: Accuracy;
  /** Why the task is not in the mean; null where it is. */
  readonly leftOut: string | null;
}

export interface MeasuredTasks {
  readonly tasks: readonly MeasuredTask[];
  /** Mean accuracy of the tasks that count, each alike; null if none does. */
  readonly mean: number | null;
}

interface ReadTask extends TaskFile {
  readonly task: Task;
  readonly items: readonly TaskItem[];
}

/** Measures a model on tasks; all files are read before the model is. Throws TextError by row number, and what opening models throws. */
export async function measureTasks(model: string, files: readonly TaskFile[], options: MeasureTasksOptions): Promise<MeasuredTasks> {
  const read: ReadTask[] = [];
  for (const { name, path } of files) {
    const task = taskNamed(name);
    read.push({ name, path, task, items: await readTaskItems(path, task, options.limit) });
  }
  return withUsableModel(model, { signal: options.signal }, (usable) =>
    withExecutor(options.threads, async (executor) => {
      const tasks: MeasuredTask[] = [];
      for (const [index, { name, path, task, items }] of read.entries()) {
        const score = await scoreTask(executor, usable, items, task.accuracy, {
          signal: options.signal,
          onProgress: ({ done, total }) => options.onProgress?.({ done: index + done / total, total: read.length }),
        });
        tasks.push({ name, path, ...score, counts: task.accuracy, leftOut: task.leftOut });
      }
      const counted = tasks.filter(({ leftOut }) => leftOut === null);
      return { tasks, mean: counted.length === 0 ? null : counted.reduce((sum, { accuracy }) => sum + accuracy, 0) / counted.length };
    }),
  );
}
