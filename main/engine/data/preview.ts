/** A first look at a text source: what it is, how much, the first documents, and what is wrong with it. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { toAppError } from '../support/errors';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { TextFindings, TextProblem } from './findings';
import { readIdsFile } from './ids-file';
import { documentText } from './rows';
import { openTextSource } from './text-source';
import { chatStyle } from './token-source';
import { readUtf8Chunks, withoutByteOrderMark, type ReadOptions } from './utf8-file';

const MAX_SAMPLES = 3;
const MAX_SAMPLE_CHARACTERS = 400;
/** Rows reported one by one; the rest are counted. */
const MAX_ROW_PROBLEMS = 10;
/** Ids of an ids file are shown as text: this many make a sample. */
const SAMPLE_IDS = 100;

/**
 * A preview of a file, tokens counted by the model's tokenizer where one is given. Reads the whole file once. Rows that
 * cannot be used are problems of the preview; raises TextError for a file that cannot be read as text at all.
 */
export async function previewText(file: string, tokenizer: Tokenizer | null, options: ReadOptions = {}): Promise<TextFindings> {
  const { size } = await stat(file).catch((error: unknown) => {
    throw toAppError(error);
  });
  const about = { path: file, name: path.basename(file), bytes: size };
  return { ...about, ...((await looksLikeIds(file)) ? await previewIds(file, tokenizer, options) : await previewDocuments(file, tokenizer, options)) };
}

type Findings = Omit<TextFindings, 'path' | 'name' | 'bytes'>;

async function previewDocuments(file: string, tokenizer: Tokenizer | null, options: ReadOptions): Promise<Findings> {
  const problems: TextProblem[] = [];
  let skipped = 0;
  const source = openTextSource(file, {
    ...options,
    onProblem: (problem) => {
      if (++skipped <= MAX_ROW_PROBLEMS) problems.push(problem);
    },
  });
  const style = tokenizer === null ? null : chatStyle(tokenizer);
  const firstTexts: string[] = [];
  let documents = 0;
  let paragraphs = 0;
  let tokens = 0;
  for await (const document of source.documents) {
    const text = documentText(document, style);
    if (++documents <= MAX_SAMPLES) firstTexts.push(text);
    paragraphs += paragraphsOf(text).length;
    tokens += tokenizer?.encode(text).length ?? 0;
  }
  if (skipped > MAX_ROW_PROBLEMS) {
    problems.push({ severity: 'warning', code: 'more-rows', message: `${skipped - MAX_ROW_PROBLEMS} more rows cannot be used.` });
  }
  if (documents === 0) {
    problems.push({ severity: 'error', code: 'no-text', message: `${path.basename(file)} holds no text that can be used.`, hint: 'Choose another file.' });
  }
  const inParagraphs = source.unit === 'paragraph';
  const samples = inParagraphs ? firstTexts.flatMap(paragraphsOf) : firstTexts;
  return {
    documents: inParagraphs ? paragraphs : documents,
    tokens,
    format: source.format,
    stage: source.stage,
    samples: samples.slice(0, MAX_SAMPLES).map(cut),
    problems,
  };
}

async function previewIds(file: string, tokenizer: Tokenizer | null, options: ReadOptions): Promise<Findings> {
  const blocks = await readIdsFile(file, tokenizer?.vocabularySize ?? Number.MAX_SAFE_INTEGER, options);
  return {
    documents: blocks.length,
    tokens: blocks.reduce((sum, block) => sum + block.length, 0),
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
