/**
 * What rows may look like: one table of formats, each with the fields it needs and the document it makes. A file has
 * one format, that of its first usable row, or the one that a person made by naming columns.
 */
import * as v from 'valibot';
import type { ChatMessage } from '../tokenizer/chat';
import type { TextStage } from './findings';

/** A text of a source before it becomes tokens. Conversations keep their turns, for models write them differently. */
export type Document =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] };

/** One way in which rows hold text. */
export interface RowFormat {
  /** For people. */
  readonly name: string;
  /** The fields that a row must have, for messages. */
  readonly needs: string;
  /** All fields that it looks at. */
  readonly fields: readonly string[];
  readonly stage: TextStage;
  /** The documents of a row; null if the row is not of this format. */
  readonly read: (row: unknown) => readonly Document[] | null;
}

/** Columns that a person named: the one with texts, those with questions and their answers, or the one with chats. */
export type ColumnChoice =
  | { readonly text: string }
  | { readonly question: string; readonly answer: string; readonly context?: string | undefined }
  | { readonly messages: string };

const optionalText = v.nullish(v.string(), '');

/** Turns as OpenAI's files and as ShareGPT's have them. */
const turnSchema = v.union([
  v.object({ role: v.string(), content: v.string() }),
  v.pipe(
    v.object({ from: v.string(), value: v.string() }),
    v.transform(({ from, value }) => ({ role: SHAREGPT_ROLES.get(from) ?? from, content: value })),
  ),
]);
const SHAREGPT_ROLES: ReadonlyMap<string, string> = new Map([['human', 'user'], ['gpt', 'assistant'], ['bot', 'assistant'], ['chatgpt', 'assistant']]);
const turnsSchema = v.pipe(v.array(turnSchema), v.minLength(1));

function format<Entries extends v.ObjectEntries>(
  name: string,
  needs: string,
  stage: TextStage,
  entries: Entries,
  documents: (row: v.InferOutput<v.ObjectSchema<Entries, undefined>>) => readonly Document[],
): RowFormat {
  const schema = v.object(entries);
  return {
    name,
    needs,
    fields: Object.keys(entries),
    stage,
    read: (row) => {
      const result = v.safeParse(schema, row);
      return result.success ? documents(result.output) : null;
    },
  };
}

function exchange(instruction: string, input: string, output: string): Document {
  const question = input.trim() === '' ? instruction : `${instruction}\n\n${input}`;
  return { kind: 'chat', messages: [{ role: 'user', content: question }, { role: 'assistant', content: output }] };
}

/** In the order in which they are tried. */
export const ROW_FORMATS: readonly RowFormat[] = [
  format('field "text"', '"text"', 'pretraining', { text: v.string() }, (row) => [{ kind: 'text', text: row.text }]),
  format('chat messages', '"messages" with "role" and "content"', 'instruction', { messages: turnsSchema }, (row) => [{ kind: 'chat', messages: row.messages }]),
  format('conversations', '"conversations" with "from" and "value"', 'instruction', { conversations: turnsSchema }, (row) => [{ kind: 'chat', messages: row.conversations }]),
  // The prompt holds its own wording already (a template may have been applied), so nothing is put around it.
  format('prompts with responses', '"prompt" and "response"', 'instruction', { prompt: v.string(), response: v.string() }, (row) => [{ kind: 'text', text: row.prompt + row.response }]),
  format('prompts with completions', '"prompt" and "completion"', 'instruction', { prompt: v.string(), completion: v.string() }, (row) => [{ kind: 'text', text: row.prompt + row.completion }]),
  format(
    'instructions with answers',
    '"instruction" and "output"',
    'instruction',
    { instruction: v.string(), input: optionalText, output: v.string() },
    (row) => [exchange(row.instruction, row.input, row.output)],
  ),
  format(
    'instructions with several answers',
    '"instruction" and "instances"',
    'instruction',
    { instruction: v.string(), instances: v.array(v.object({ input: optionalText, output: v.string() })) },
    (row) => row.instances.map((instance) => exchange(row.instruction, instance.input, instance.output)),
  ),
  format(
    'instructions with responses',
    '"instruction" and "response"',
    'instruction',
    { instruction: v.string(), context: optionalText, response: v.string() },
    (row) => [exchange(row.instruction, row.context, row.response)],
  ),
  format(
    'questions with answers',
    '"question" and "answer"',
    'instruction',
    { question: v.string(), context: optionalText, answer: v.string() },
    (row) => [exchange(row.question, row.context, row.answer)],
  ),
  format('field "content"', '"content"', 'pretraining', { content: v.string() }, (row) => [{ kind: 'text', text: row.content }]),
];

/** The format of rows whose columns a person named; its `needs` names those. */
export function chosenFormat(choice: ColumnChoice): RowFormat {
  const quoted = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(' and ');
  if ('text' in choice) {
    const { text } = choice;
    return format(`text in ${quoted([text])}`, quoted([text]), 'pretraining', { [text]: v.string() }, (row) => [{ kind: 'text', text: row[text] ?? '' }]);
  }
  if ('messages' in choice) {
    const { messages } = choice;
    return format(`conversations in ${quoted([messages])}`, `${quoted([messages])} with roles and their words`, 'instruction', { [messages]: turnsSchema }, (row) => [{ kind: 'chat', messages: row[messages] ?? [] }]);
  }
  const { question, answer, context } = choice;
  const entries: Record<string, typeof optionalText | v.StringSchema<undefined>> = { [question]: v.string(), [answer]: v.string() };
  if (context !== undefined) entries[context] ??= optionalText;
  return format(`questions in ${quoted([question])}, answers in ${quoted([answer])}`, quoted([question, answer]), 'instruction', entries, (row) => [
    exchange(row[question] ?? '', context === undefined ? '' : (row[context] ?? ''), row[answer] ?? ''),
  ]);
}

/** What a row is, for messages: its field names, or the kind of value it is. */
export function describeRow(row: unknown): string {
  if (row === null) return 'null';
  if (Array.isArray(row)) return 'a list';
  if (typeof row !== 'object') return `a ${typeof row}`;
  const fields = Object.entries(row).slice(0, 8);
  const described = fields.map(([field, value]) => (value === null ? `"${field}" (empty)` : `"${field}"`));
  return fields.length === 0 ? 'an object without fields' : `the field${fields.length === 1 ? '' : 's'} ${described.join(', ')}`;
}

/** How a model writes a conversation. Raises TextError for what its template refuses. */
export type ChatStyle = (messages: readonly ChatMessage[]) => string;

/** A document as one text. Without a style, turns become headed paragraphs that any model can read. */
export function documentText(document: Document, style: ChatStyle | null): string {
  if (document.kind === 'text') return document.text;
  if (style !== null) return style(document.messages);
  return document.messages.map(({ role, content }) => `### ${heading(role)}:\n${content}`).join('\n\n');
}

function heading(role: string): string {
  if (role === 'user') return 'Instruction';
  return role === 'assistant' ? 'Response' : role.slice(0, 1).toUpperCase() + role.slice(1);
}
