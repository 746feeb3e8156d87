/** A first look at a text source: what it is, how much, the first documents, and what is wrong with it. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { toAppError } from '../support/errors';
import { breathe } from '../support/progress';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { BadRow, TextFindings, TextProblem } from './findings';
import { readIdsFile } from './ids-file';
import { LanguageSample } from './languages';
import { chatStyle, renderDocuments } from './rendered';
import type { ColumnChoice, Document } from './rows';
import { openTextSource } from './text-source';
import { readUtf8Chunks, withoutByteOrderMark, type ReadOptions } from './utf8-file';

const MAX_SAMPLES = 3;
const MAX_SAMPLE_CHARACTERS = 400;
/** Rows reported one by one; the rest are counted. */
const MAX_BAD_ROWS = 100;
/** Counting tokens takes longest; beyond this the text's length tells. */
const MAX_COUNTED_CHARACTERS = 10_000_000;
/** Ids of an ids file are shown as text: this many make a sample. */
const SAMPLE_IDS = 100;

/** What a preview may be told. */
export interface PreviewOptions extends ReadOptions {
  /** Columns that hold the text, chosen by hand. */
  readonly columns?: ColumnChoice | undefined;
}

/**
 * A preview of a file, tokens counted by the model's tokenizer where one is given. Reads the whole file once. Rows that
 * cannot be used are told in the preview; raises TextError, FormatError or UnsupportedError for a file that cannot be
 * read at all.
 */
export async function previewText(file: string, tokenizer: Tokenizer | null, options: PreviewOptions = {}): Promise<TextFindings> {
  const { size } = await stat(file).catch((error: unknown) => {
    throw toAppError(error);
  });
  const about = { path: file, name: path.basename(file), bytes: size };
  return { ...about, ...((await looksLikeIds(file)) ? await previewIds(file, tokenizer, options) : await previewDocuments(file, tokenizer, options)) };
}

type Findings = Omit<TextFindings, 'path' | 'name' | 'bytes'>;

async function previewDocuments(file: string, tokenizer: Tokenizer | null, options: PreviewOptions): Promise<Findings> {
  const problems: TextProblem[] = [];
  const badRows: BadRow[] = [];
  let leftOut = 0;
  const source = openTextSource(file, {
    ...options,
    onProblem: (problem, row) => {
      if (problem.severity === 'error') problems.push(problem);
      else if (++leftOut <= MAX_BAD_ROWS) badRows.push({ row, reason: reasonOf(problem, row, file) });
    },
  });
  const style = tokenizer === null ? null : chatStyle(tokenizer);
  const firstTexts: string[] = [];
  const languages = new LanguageSample();
  let [documents, paragraphs, tokens, characters, counted] = [0, 0, 0, 0, 0];
  for await (const { document, text } of renderDocuments(source, style)) {
    if (++documents <= MAX_SAMPLES) firstTexts.push(text);
    // A plain text's paragraphs are what people count in it; of rows they count the rows.
    if (source.unit === 'paragraph') paragraphs += paragraphsOf(text).length;
    for (const said of wordsOf(document)) languages.add(said);
    characters += text.length;
    if (tokenizer !== null && counted < MAX_COUNTED_CHARACTERS) {
      counted += text.length;
      tokens += tokenizer.encode(text).length;
    }
    await breathe(options.signal);
  }
  if (documents === 0 && problems.length === 0 && leftOut > 0) {
    problems.push({
      severity: 'error',
      code: 'no-usable-row',
      message: `None of the rows of ${path.basename(file)} can be used.`,
      hint: options.columns === undefined ? 'Say which columns hold the text.' : 'Choose other columns.',
    });
  } else if (documents === 0 && problems.length === 0) {
    problems.push({ severity: 'error', code: 'no-text', message: `${path.basename(file)} holds no text that can be used.`, hint: 'Choose another file.' });
  }
  const inParagraphs = source.unit === 'paragraph';
  const samples = inParagraphs ? firstTexts.flatMap(paragraphsOf) : firstTexts;
  const isExact = tokenizer === null || counted === characters;
  return {
    documents: inParagraphs ? paragraphs : documents,
    tokens: isExact ? tokens : Math.round(tokens * (characters / counted)),
    tokensExact: isExact,
    leftOut,
    badRows,
    columns: [...source.columns],
    languages: languages.languages(),
    format: source.format,
    stage: source.stage,
    samples: samples.slice(0, MAX_SAMPLES).map(cut),
    problems,
  };
}

/** What people wrote, without what a template puts around it. */
function wordsOf(document: Document): readonly string[] {
  return document.kind === 'text' ? [document.text] : document.messages.map(({ content }) => content);
}

/** A problem's message without its beginning, which the row's number stands for. */
function reasonOf({ message }: TextProblem, row: number, file: string): string {
  const beginning = `Row ${row} of ${path.basename(file)} `;
  return message.startsWith(beginning) ? message.slice(beginning.length) : message;
}

async function previewIds(file: string, tokenizer: Tokenizer | null, options: ReadOptions): Promise<Findings> {
  const blocks = await readIdsFile(file, tokenizer?.vocabularySize ?? Number.MAX_SAFE_INTEGER, options);
  return {
    documents: blocks.length,
    tokens: blocks.reduce((sum, block) => sum + block.length, 0),
    tokensExact: true,
    leftOut: 0,
    badRows: [],
    columns: [],
    languages: [],
    format: 'token ids',
    stage: 'pretraining',
    samples: tokenizer === null ? [] : blocks.slice(0, MAX_SAMPLES).map((block) => cut(tokenizer.decode(block.slice(0, SAMPLE_IDS)))),
    problems: [],
  };
}

/** Whether a JSON file begins as a list of numbers, or of lists of numbers. */
async function looksLikeIds(file: string): Promise<boolean> {
  if (path.extname(file).toLowerCase() !== '.json') return false;
  for await (const chunk of readUtf8Chunks(file)) return /^\s*\[\s*(?:\[\s*)?[-\d]/.test(withoutByteOrderMark(chunk));
  return false;
}

function paragraphsOf(text: string): string[] {
  return text.split(/\n[^\S\n]*\n/).filter((paragraph) => paragraph.trim() !== '');
}

function cut(text: string): string {
  const trimmed = text.trim();
  if (trimmed.length <= MAX_SAMPLE_CHARACTERS) return trimmed;
  // Not between the halves of a character.
  const end = /[\uD800-\uDBFF]/.test(trimmed[MAX_SAMPLE_CHARACTERS - 1] ?? '') ? MAX_SAMPLE_CHARACTERS - 1 : MAX_SAMPLE_CHARACTERS;
  return `${trimmed.slice(0, end)}…`;
}
