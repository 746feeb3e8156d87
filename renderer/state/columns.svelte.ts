/** Which columns of a table hold the text, as far as a person has said so: it counts once everything needed is named. */
import type { Columns } from '../../preload/contract/recipe';

/** What rows can hold, and `found` for what Shear found by itself. */
export const COLUMN_KINDS = ['found', 'text', 'questions', 'messages'] as const;
export type ColumnKind = (typeof COLUMN_KINDS)[number];

/** The parts that each kind is made of; those in `mayLack` can be left out. */
export const COLUMN_PARTS = {
  found: [],
  text: ['text'],
  questions: ['question', 'answer', 'context'],
  messages: ['messages'],
} as const satisfies Record<ColumnKind, readonly string[]>;
export type ColumnPart = (typeof COLUMN_PARTS)[ColumnKind][number];

/** Whether a kind stands without this part. */
export function isOptional(part: ColumnPart): boolean {
  return part === 'context';
}

/** One source's columns, chosen part by part. */
export class ColumnsForm {
  kind = $state<ColumnKind>('found');
  parts = $state<Readonly<Partial<Record<ColumnPart, string>>>>({});

  /** An empty name takes the choice back. */
  choose(part: ColumnPart, column: string): void {
    this.parts = { ...this.parts, [part]: column === '' ? undefined : column };
  }

  /** The choice as a recipe has it; null while it is Shear's, or not complete. */
  get choice(): Columns | null {
    const { text, question, answer, context, messages } = this.parts;
    switch (this.kind) {
      case 'found':
        return null;
      case 'text':
        return text === undefined ? null : { text };
      case 'messages':
        return messages === undefined ? null : { messages };
      case 'questions':
        if (question === undefined || answer === undefined || question === answer) return null;
        return { question, answer, ...(context === undefined ? {} : { context }) };
    }
  }
}
