/**
 * What rows of JSON may look like: one table of formats, each with the fields it needs and the document it makes.
 * A file has one format, that of its first usable row.
 */
import * as v from 'valibot';
import { renderChat, type ChatMessage } from '../tokenizer/chat';
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
  readonly stage: TextStage;
  /** The documents of a row; null if the row is not of this format. */
  readonly read: (row: unknown) => readonly Document[] | null;
}

const optionalText = v.nullish(v.string(), '');

function format<Schema extends v.GenericSchema>(
  name: string,
  needs: string,
  stage: TextStage,
  schema: Schema,
  documents: (row: v.InferOutput<Schema>) => readonly Document[],
): RowFormat {
  return {
    name,
    needs,
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
  format('field "text"', '"text"', 'pretraining', v.object({ text: v.string() }), (row) => [{ kind: 'text', text: row.text }]),
  format(
    'chat messages',
    '"messages" with "role" and "content"',
    'instruction',
    v.object({ messages: v.pipe(v.array(v.object({ role: v.string(), content: v.string() })), v.minLength(1)) }),
    (row) => [{ kind: 'chat', messages: row.messages }],
  ),
  // The prompt holds its own wording already (a template may have been applied), so nothing is put around it.
  format(
    'prompts with responses',
    '"prompt" and "response"',
    'instruction',
    v.object({ prompt: v.string(), response: v.string() }),
    (row) => [{ kind: 'text', text: row.prompt + row.response }],
  ),
  format(
    'instructions with answers',
    '"instruction" and "output"',
    'instruction',
    v.object({ instruction: v.string(), input: optionalText, output: v.string() }),
    (row) => [exchange(row.instruction, row.input, row.output)],
  ),
  format(
    'instructions with several answers',
    '"instruction" and "instances"',
    'instruction',
    v.object({ instruction: v.string(), instances: v.array(v.object({ input: optionalText, output: v.string() })) }),
    (row) => row.instances.map((instance) => exchange(row.instruction, instance.input, instance.output)),
  ),
];

/** What a row is, for messages: its field names, or the kind of value it is. */
export function describeRow(row: unknown): string {
  if (row === null) return 'null';
  if (Array.isArray(row)) return 'a list';
  if (typeof row !== 'object') return `a ${typeof row}`;
  const fields = Object.keys(row).slice(0, 8);
  return fields.length === 0 ? 'an object without fields' : `the field${fields.length === 1 ? '' : 's'} ${fields.map((field) => `"${field}"`).join(', ')}`;
}

/** How a model wants conversations: its template and the texts of its special tokens. */
export interface ChatStyle {
  readonly template: string;
  readonly bos: string;
  readonly eos: string;
}

/** A document as one text. Without a style, turns become headed paragraphs that any model can read. */
export function documentText(document: Document, style: ChatStyle | null): string {
  if (document.kind === 'text') return document.text;
  if (style === null) return document.messages.map(({ role, content }) => `### ${heading(role)}:\n${content}`).join('\n\n');
  return renderChat(style.template, document.messages, { bos: style.bos, eos: style.eos, addGenerationPrompt: false });
}

function heading(role: string): string {
  if (role === 'user') return 'Instruction';
  return role === 'assistant' ? 'Response' : role.slice(0, 1).toUpperCase() + role.slice(1);
}
