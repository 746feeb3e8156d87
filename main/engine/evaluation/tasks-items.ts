/**
 * Reads a task's file into items: rows of JSON, or blocks of six lines, packed with gzip or not. Every row is checked;
 * one that does not fit is an error that names it, because leaving it out would change the figure.
 */
import { isUtf8 } from 'node:buffer';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readUtf8File, withoutByteOrderMark } from '../data/utf8-file';
import { describeJson } from '../support/describe-value';
import { TextError, toAppError } from '../support/errors';
import type { RowForm, Task } from './tasks';

/** One context with one choice; the choice without the space that stands before it. */
export interface Candidate {
  readonly context: string;
  readonly choice: string;
}

/** One question: at least two candidates, of which one is right. */
export interface TaskItem {
  /** Counted from 1, as people count the rows of the file. */
  readonly row: number;
  readonly candidates: readonly Candidate[];
  /** Place of the right one. */
  readonly gold: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Most bytes of an unpacked file. */
const MAX_BYTES = 256 * 2 ** 20;
/** Lines of an item in a plain file: the context, the place of the right ending, four endings. */
const BLOCK_LINES = 6;
const FIELD = /\{(\w+)\}/g;

/**
 * The first `limit` items of a file. Rows are JSON lines or a JSON list; a `.txt` file has six lines an item, the layout
 * of llama.cpp's HellaSwag file. Where rows hold no right answer, it is taken from `NAME-labels.lst` beside
 * `NAME.jsonl`, one a line, as PIQA comes. Throws TextError by row number, NotFoundError.
 */
export async function readTaskItems(file: string, task: Task, limit = Number.POSITIVE_INFINITY): Promise<TaskItem[]> {
  const text = withoutByteOrderMark(await readText(file));
  const rows = (isPlain(file) ? readBlocks(file, text) : readRows(file, text)).slice(0, limit);
  const [first] = rows;
  if (first === undefined) throw new TextError(`${path.basename(file)} holds no rows.`, { details: { file } });
  const labels = await readLabels(file);
  const labelled = labels === null ? rows : rows.map((row, at) => withLabel(file, row, labels[at], at + 1));
  const form = task.forms.find((one) => fieldsOf(one).every((field) => field in (labelled[0] ?? first)));
  if (form === undefined) {
    const expected = task.forms.map((one) => fieldsOf(one).join(', ')).join('; or ');
    throw new TextError(`Row 1 of ${path.basename(file)} has the fields ${Object.keys(first).join(', ') || '(none)'}; ${task.name} needs ${expected}.`, {
      hint: 'Check that the file belongs to the task that is named before it.',
      details: { file, row: 1 },
    });
  }
  return labelled.map((row, at) => readItem(row, form, at + 1, file));
}

function readItem(row: Fields, form: RowForm, number: number, file: string): TaskItem {
  const fail = (what: string): TextError =>
    new TextError(`Row ${number} of ${path.basename(file)} ${what}.`, {
      hint: 'Correct the row: leaving it out would make the figure incomparable.',
      details: { file, row: number },
    });
  const texts = (templates: readonly string[]): string[] => templates.flatMap((template) => expand(template, row, fail));
  const [contexts, choices] = [texts(form.contexts), texts(form.choices)];
  if (contexts.length > 1 && choices.length > 1) throw fail(`has ${contexts.length} contexts and ${choices.length} choices; either may be several, not both`);
  if (Math.max(contexts.length, choices.length) < 2) throw fail('leaves nothing to choose from: two choices are the fewest');
  const candidates = contexts.flatMap((context) => choices.map((choice) => ({ context, choice })));
  const gold = place(row[form.gold]);
  if (gold === null || gold >= candidates.length) {
    const found = describeJson(row[form.gold]);
    throw fail(`has ${found} as "${form.gold}"; a whole number from 0 to ${candidates.length - 1} was expected`);
  }
  return { row: number, candidates, gold };
}

/** A template's texts: as many as its list has entries, else one. */
function expand(template: string, row: Fields, fail: (what: string) => TextError): string[] {
  const names = namesIn(template);
  const values = new Map(names.map((name) => [name, textsOf(name, row[name], fail)]));
  const lists = [...values.values()].filter((value) => Array.isArray(value));
  const count = lists[0]?.length ?? 1;
  return Array.from({ length: count }, (_, at) =>
    template.replace(FIELD, (_whole, name: string) => {
      const value = values.get(name) ?? '';
      return typeof value === 'string' ? value : (value[at] ?? '');
    }),
  );
}

/** A field's text or texts, stripped. None may be empty: nothing would predict a choice, or nothing be predicted. */
function textsOf(name: string, value: unknown, fail: (what: string) => TextError): string | readonly string[] {
  if (value === undefined) throw fail(`has no field "${name}"`);
  const entries: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = entries.flatMap((entry) => (typeof entry === 'string' ? [entry.trim()] : []));
  if (texts.length === 0 || texts.length !== entries.length) throw fail(`has no text in its field "${name}"`);
  if (texts.includes('')) throw fail(`has an empty text in its field "${name}"`);
  return Array.isArray(value) ? texts : (texts[0] ?? '');
}

function namesIn(template: string): string[] {
  return [...template.matchAll(FIELD)].flatMap(([, name]) => name ?? []);
}

/** The fields that a row of a form has. */
function fieldsOf({ contexts, choices, gold }: RowForm): string[] {
  return [...[...contexts, ...choices].flatMap(namesIn), gold];
}

/** A whole number, also as text, as some files have it. */
function place(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : null;
}

function unpacked(file: string): string {
  return file.toLowerCase().endsWith('.gz') ? file.slice(0, -3) : file;
}

function isPlain(file: string): boolean {
  return path.extname(unpacked(file)).toLowerCase() === '.txt';
}

async function readText(file: string): Promise<string> {
  if (unpacked(file) === file) return readUtf8File(file);
  let bytes: Buffer;
  try {
    const packed = await readFile(file);
    bytes = gunzipSync(packed, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    const known = toAppError(error);
    if (known.code !== 'internal') throw known;
    throw new TextError(`${path.basename(file)} could not be unpacked: ${known.message}.`, {
      cause: error,
      hint: `The file may be cut short, no gzip archive, or hold more than ${MAX_BYTES / 2 ** 20} MiB.`,
      details: { file },
    });
  }
  if (!isUtf8(bytes)) throw new TextError(`${path.basename(file)} holds something other than UTF-8 text.`, { details: { file } });
  return bytes.toString('utf8');
}

function readRows(file: string, text: string): Fields[] {
  const name = path.basename(file);
  const asFields = (value: unknown, number: number): Fields => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.fromEntries(Object.entries(value));
    throw new TextError(`Row ${number} of ${name} is not an object with fields.`, { details: { file, row: number } });
  };
  const parse = (json: string, where: string, row: number): unknown => {
    try {
      return JSON.parse(json);
    } catch (error) {
      throw new TextError(`${where} of ${name} is not JSON: ${error instanceof Error ? error.message : String(error)}.`, {
        cause: error,
        hint: 'Task files are rows of JSON (.jsonl), or six lines an item (.txt).',
        details: { file, row },
      });
    }
  };
  if (text.trimStart().startsWith('[')) {
    const list = parse(text, 'The list', 0);
    const entries: readonly unknown[] = Array.isArray(list) ? list : [];
    return entries.map((value, at) => asFields(value, at + 1));
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, at) => asFields(parse(line, `Row ${at + 1}`, at + 1), at + 1));
}

function readBlocks(file: string, text: string): Fields[] {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  while (lines.at(-1)?.trim() === '') lines.pop();
  if (lines.length % BLOCK_LINES !== 0) {
    const row = Math.floor(lines.length / BLOCK_LINES) + 1;
    throw new TextError(`Row ${row} of ${path.basename(file)} is cut short: it has ${lines.length % BLOCK_LINES} of ${BLOCK_LINES} lines.`, {
      hint: 'Each item has six lines: the context, the place of the right ending (from 0), and four endings.',
      details: { file, row },
    });
  }
  return Array.from({ length: lines.length / BLOCK_LINES }, (_, at) => {
    const [context = '', gold = '', ...choices] = lines.slice(at * BLOCK_LINES, (at + 1) * BLOCK_LINES);
    return { query: context, gold, choices };
  });
}

/** Right answers from the file beside, or null where there is none. */
async function readLabels(file: string): Promise<string[] | null> {
  const stem = unpacked(file).slice(0, -path.extname(unpacked(file)).length);
  const labels = `${stem}-labels.lst`;
  return existsSync(labels) ? (await readUtf8File(labels)).split('\n').map((line) => line.trim()) : null;
}

function withLabel(file: string, row: Fields, label: string | undefined, number: number): Fields {
  if ('label' in row) return row;
  if (label !== undefined && label !== '') return { ...row, label };
  throw new TextError(`Row ${number} of ${path.basename(file)} has no right answer: the file of labels beside it ends before.`, { details: { file, row: number } });
}
