/**
 * Multiple-choice tasks as data: how a row of each becomes contexts and choices, and which accuracy counts. A new task
 * is an entry of the table; reading and scoring know no task by name.
 */

/** `sum` picks the likeliest choice; `perByte` the likeliest for its length in UTF-8 bytes, which long choices need. */
export type Accuracy = 'sum' | 'perByte';

/**
 * One way in which rows hold an item. In a template, `{field}` stands for the text of a row's field without the white
 * space around it; a field that is a list makes one text of each entry. Either the contexts or the choices are several.
 */
export interface RowForm {
  /** Templates of what stands before a choice; one space stands between the two. */
  readonly contexts: readonly string[];
  readonly choices: readonly string[];
  /** The field with the place of the right one, counted from 0. */
  readonly gold: string;
}

export interface Task {
  readonly name: string;
  /** Other names; capitals and signs do not count. */
  readonly aliases: readonly string[];
  readonly accuracy: Accuracy;
  /** In the order in which they are tried on the first row of a file. */
  readonly forms: readonly RowForm[];
  /** Why it does not count in a mean over tasks; null where it does. */
  readonly leftOut: string | null;
}

/** Rows with the fields of the LLM Foundry's evaluation sets (mosaicml/llm-foundry, scripts/eval/local_data). */
function query(context: string): RowForm {
  return { contexts: [context], choices: ['{choices}'], gold: 'gold' };
}

const CONTEXT_OPTIONS: RowForm = { contexts: ['{context_options}'], choices: ['{continuation}'], gold: 'gold' };

/** What is done with a task that is not in the table: its rows say all. */
const ANY_TASK: Omit<Task, 'name'> = { aliases: [], accuracy: 'perByte', forms: [query('{query}'), CONTEXT_OPTIONS], leftOut: null };

/** Prompts without examples as the EleutherAI harness and LLM-Pruner's tables have them. */
export const TASKS: readonly Task[] = [
  {
    name: 'piqa', aliases: [], accuracy: 'perByte', leftOut: null,
    forms: [{ contexts: ['Question: {goal}\nAnswer:'], choices: ['{sol1}', '{sol2}'], gold: 'label' }, query('{query}\nAnswer:')],
  },
  {
    name: 'hellaswag', aliases: [], accuracy: 'perByte', leftOut: null,
    forms: [query('{query}'), { contexts: ['{activity_label}: {ctx}'], choices: ['{endings}'], gold: 'label' }],
  },
  // Partial scoring: the same continuation after each context.
  { name: 'winogrande', aliases: ['wino'], accuracy: 'sum', leftOut: null, forms: [CONTEXT_OPTIONS] },
  { name: 'arc_easy', aliases: ['arc', 'arc_e'], accuracy: 'perByte', leftOut: null, forms: [query('{query}\nAnswer:')] },
  { name: 'arc_challenge', aliases: ['arc_c'], accuracy: 'perByte', leftOut: null, forms: [query('{query}\nAnswer:')] },
  { name: 'openbookqa', aliases: ['obqa'], accuracy: 'perByte', leftOut: null, forms: [query('{query}')] },
  {
    name: 'boolq', aliases: [], accuracy: 'sum', forms: [query('{query}\nAnswer:')],
    leftOut: 'Nearly two thirds of its answers are "yes": a damaged model that always says yes beats a sound one.',
  },
];

/** The task of a name; one that is not in the table keeps its name and is read by what its rows hold. */
export function taskNamed(name: string): Task {
  const wanted = plain(name);
  return TASKS.find((task) => [task.name, ...task.aliases].some((one) => plain(one) === wanted)) ?? { name, ...ANY_TASK };
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}
