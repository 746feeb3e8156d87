import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { previewText } from '../../main/engine/data/preview';
import { documentText, type ColumnChoice } from '../../main/engine/data/rows';
import { openTextSource, readStage } from '../../main/engine/data/text-source';
import { readTextBlocks } from '../../main/engine/data/token-source';
import { readWholeText } from '../../main/engine/data/whole-text';
import { AppError } from '../../main/engine/support/errors';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { vocabularyMetadata } from '../support/tokenizer-data';

const PARQUET = path.join(import.meta.dirname, '..', 'data', 'parquet');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'shear-tables-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return file;
}

interface Found {
  readonly texts: string[];
  readonly problems: [number, string, string][];
  readonly format: string;
}

async function read(file: string, columns?: ColumnChoice): Promise<Found> {
  const problems: [number, string, string][] = [];
  const source = openTextSource(file, { columns, onProblem: ({ code, message }, row) => problems.push([row, code, message]) });
  const texts: string[] = [];
  for await (const { document } of source.documents) texts.push(documentText(document, null));
  return { texts, problems, format: source.format };
}

async function errorOf(run: () => Promise<unknown>): Promise<AppError> {
  const error: unknown = await run().then(() => null, (reason: unknown) => reason);
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, found ${String(error)}`);
}

describe('tables with delimiters', () => {
  test.each([
    ['commas, a byte-order mark and Windows line ends', 'a.csv', '\uFEFFid,text\r\n1,One\r\n2,"Two, ""quoted""\r\nand broken"\r\n', ['One', 'Two, "quoted"\r\nand broken']],
    ['semicolons, as spreadsheets of many countries write them', 'b.csv', 'id;text\n1;1,5 litres\n', ['1,5 litres']],
    ['tabs', 'c.tsv', 'text\tid\nOne, two\t1\n', ['One, two']],
    ['carriage returns alone and no last line end', 'd.csv', 'text,id\rOne,1\rTwo,2', ['One', 'Two']],
    ['one column, and a quote inside a word', 'e.csv', 'text\nA 5" disk\n\nIt\'s\n', ['A 5" disk', "It's"]],
    ['instructions', 'f.csv', 'instruction,input,output\nAdd,1 2,3\n', ['### Instruction:\nAdd\n\n1 2\n\n### Response:\n3']],
  ])('are read with %s', async (_what, name, content, expected) => {
    expect(await read(await write(name, content))).toMatchObject({ texts: expected, problems: [] });
  });

  test('report rows by the number that a spreadsheet shows, and read the others', async () => {
    const file = await write('bad.csv', 'id,text\n1,One\n2,Two,more\n\n4\n"5"x,Five\n6,Six\n7,"open\nend');
    const { texts, problems } = await read(file);
    expect(texts).toEqual(['One', 'Six']);
    expect(problems.map(([row, code]) => [row, code])).toEqual([[3, 'row-cells'], [5, 'row-cells'], [6, 'row-quotes'], [8, 'row-quotes']]);
    expect(problems[0]?.[2]).toContain('has 3 cells; the first row names 2 columns');
    expect(problems[3]?.[2]).toContain('never closed');
  });

  test('give every cell back wherever the pieces that are read at once end', async () => {
    // Pieces have a mebibyte: quotes, doubled quotes and CRLF fall on their borders at some of these lengths.
    for (const length of [1_048_560, 1_048_561, 1_048_562, 1_048_563, 1_048_564, 1_048_565]) {
      const long = 'x'.repeat(length - 8);
      const file = await write('border.csv', `text,a\r\n"${long}""y",1\r\n"z",2\r\n`);
      const { texts, problems } = await read(file);
      expect(problems).toEqual([]);
      expect(texts.map((text) => text.length)).toEqual([long.length + 2, 1]);
    }
  });

  test('with columns repeated, nameless or called like parts of JavaScript keep them apart', async () => {
    const preview = await previewText(await write('names.csv', 'a,a,,__proto__,text\n1,2,3,4,T\n'), null);
    expect(preview.columns).toEqual(['a', 'a (2)', 'column 3', '__proto__', 'text']);
    expect(preview.documents).toBe(1);
  });
});

describe('lists in JSON', () => {
  test('stream item by item, whatever brackets and quotes their texts hold', async () => {
    const rows = [{ text: 'a ] } , " \\ [' }, { text: '\\"' }, { text: `${'long '.repeat(300_000)}]` }];
    expect((await read(await write('list.json', `\uFEFF [ ${rows.map((row) => JSON.stringify(row, null, 1)).join(' ,\n')} ] \n`))).texts).toEqual(rows.map(({ text }) => text));
    expect((await read(await write('empty.json', '[]'))).texts).toEqual([]);
  });

  test('report items that are no JSON by their place, and files that end inside', async () => {
    expect(await read(await write('item.json', '[{"text":"a"},{"text":},{"text":"c"}]'))).toMatchObject({ texts: ['a', 'c'], problems: [[2, 'row-not-json', expect.any(String)]] });
    expect((await errorOf(async () => read(await write('cut.json', '[{"text":"a"},{"te')))).message).toContain('after 1 rows');
    expect((await errorOf(async () => read(await write('more.json', '[{"text":"a"}]\n[{"text":"b"}]')))).hint).toContain('.jsonl');
  });
});

describe('Parquet tables', () => {
  const expected = Array.from({ length: 40 }, (_, row) => `Row ${row}: the füchslein 🦊 ran on. `.repeat((row % 3) + 1)).filter((_, row) => row !== 7);

  test.each(['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4', 'v2'])('written with %s give the same rows', async (kind) => {
    const { texts, problems, format } = await read(path.join(PARQUET, `texts-${kind}.parquet`));
    expect(texts).toEqual(expected);
    expect(problems).toEqual([[8, 'row-without-text', expect.stringContaining('"text" (empty); expected "text"')]]);
    expect(format).toBe('Parquet table, field "text"');
  });

  test('hold conversations as lists of structures', async () => {
    const { texts } = await read(path.join(PARQUET, 'chats.parquet'));
    expect(texts).toHaveLength(6);
    expect(texts[5]).toBe('### Instruction:\nQuestion 5?\n\n### Response:\nAnswer 5.');
    expect(await readStage(path.join(PARQUET, 'chats.parquet'))).toBe('instruction');
  });

  test('that are cut off, damaged or something else are refused in words', async () => {
    const whole = await readFile(path.join(PARQUET, 'texts-snappy.parquet'));
    const other = async (name: string, bytes: Uint8Array): Promise<AppError> => errorOf(async () => read(await write(name, bytes)));
    expect((await other('cut.parquet', whole.subarray(0, 900))).message).toContain('cut off');
    expect((await other('text.parquet', Buffer.from('Just a text of some length.'))).message).toContain('no Parquet table');
    expect((await other('tiny.parquet', Buffer.from('PAR1'))).message).toContain('no Parquet table');
    const long = Buffer.from(whole);
    long.writeUInt32LE(0x7fffffff, long.length - 8);
    expect((await other('long.parquet', long)).message).toContain('says that its description has 2147483647 bytes');
    const broken = Buffer.from(whole);
    broken.fill(0xff, broken.length - 60, broken.length - 8);
    const error = await other('broken.parquet', broken);
    expect(error.code).toBe('format');
    expect(error.message).toMatch(/^broken\.parquet is a damaged Parquet table/);
  });
});

test('encodings whose reader does not end on damaged pages are refused by number', async () => {
  const error = await errorOf(async () => read(path.join(PARQUET, 'texts-delta.parquet')));
  expect(error.code).toBe('unsupported');
  expect(error.message).toContain('number 7');
});

test('damaged Parquet pages that are compressed by zstd are refused at once', async () => {
  const whole = await readFile(path.join(PARQUET, 'texts-v2.parquet'));
  const started = process.cpuUsage();
  for (let at = 40; at < 300; at += 20) {
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, at, at + 3);
    await read(await write('zstd.parquet', damaged)).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
    });
  }
  expect(process.cpuUsage(started).user).toBeLessThan(5_000_000);
});

describe('columns chosen by hand', () => {
  test('make texts, questions with answers, or conversations', async () => {
    const questions = path.join(PARQUET, 'questions.parquet');
    expect((await read(questions)).texts).toEqual([]);
    expect((await read(questions, { question: 'ask', answer: 'reply' })).texts[4]).toBe('### Instruction:\nWhat is 4?\n\n### Response:\nIt is 4.');
    expect((await read(questions, { text: 'reply' })).texts[0]).toBe('It is 0.');
    const lines = await write('own.jsonl', '{"dialog":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Ho"}],"ctx":"C","q":"Q","a":"A"}\n');
    expect((await read(lines, { messages: 'dialog' })).texts).toEqual(['### Instruction:\nHi\n\n### Response:\nHo']);
    expect((await read(lines, { question: 'q', answer: 'a', context: 'ctx' })).texts).toEqual(['### Instruction:\nQ\n\nC\n\n### Response:\nA']);
    expect((await read(lines, { text: 'nowhere' })).problems[0]?.[2]).toContain('expected "nowhere"');
    expect(await readStage(lines, { messages: 'dialog' })).toBe('instruction');
    expect((await errorOf(async () => read(await write('plain.txt', 'A text.'), { text: 'text' }))).message).toContain('no columns');
    expect(await readWholeText(questions, { columns: { text: 'ask' } })).toBe('What is 0?\n\nWhat is 1?\n\nWhat is 2?\n\nWhat is 3?\n\nWhat is 4?');
  });

  test('are asked for where none of the first hundred rows tells, without reading on', async () => {
    const file = await write('unknown.csv', `title,body\n${'T,B\n'.repeat(100)}${'x'.repeat(2 << 20)}`);
    const preview = await previewText(file, null);
    expect(preview).toMatchObject({ documents: 0, leftOut: 100, columns: ['title', 'body'], problems: [{ severity: 'error', code: 'no-usable-row' }] });
    expect(preview.problems[0]?.hint).toContain('columns');
    expect((await previewText(file, null, { columns: { text: 'body' } })).documents).toBe(100);
    expect((await previewText(path.join(PARQUET, 'questions.parquet'), null)).problems).toMatchObject([{ code: 'no-usable-row', hint: 'Say which columns hold the text.' }]);
  });
});

describe('what the model will see', () => {
  const tokenizer = loadTokenizerFromGguf(vocabularyMetadata('smollm2'));

  test('has conversations in its own words; those that its template refuses are left out by number', async () => {
    const strict = { ...tokenizer, chatTemplate: "{% if messages[0].role != 'user' %}{{ raise_exception('the user comes first') }}{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}", encode: tokenizer.encode.bind(tokenizer), tokenText: tokenizer.tokenText.bind(tokenizer) };
    const turns = (...roles: string[]): string => JSON.stringify({ messages: roles.map((role) => ({ role, content: role })) });
    const file = await write('refused.jsonl', [turns('user', 'assistant'), turns('assistant', 'user'), turns('user')].join('\n'));
    const preview = await previewText(file, strict);
    expect(preview).toMatchObject({ documents: 2, leftOut: 1, samples: ['<user>user<assistant>assistant', '<user>user'] });
    expect(preview.badRows[0]?.row).toBe(2);
    expect(preview.badRows[0]?.reason).toContain('the user comes first');
    let read: [number, number] = [0, 0];
    await readTextBlocks(file, strict, { length: 2, vocabulary: 49152, onProblem: () => undefined, onRead: (documents, tokens) => { read = [documents, tokens]; } });
    expect(read).toEqual([2, preview.tokens + 2]);
  });

  test('says in which languages it is', async () => {
    const english = 'The river ran slowly past the old houses, and nobody in the village remembered who had built the bridge over it.';
    const german = 'Der Fluss zog langsam an den alten Häusern vorbei, und niemand im Dorf wusste noch, wer die Brücke darüber gebaut hatte.';
    const japanese = '川は古い家々のそばをゆっくりと流れ、村の誰もその橋を誰が架けたのか覚えていなかった。';
    const lines = (texts: readonly string[]): string => texts.map((text) => JSON.stringify({ text })).join('\n');
    const mixed = await previewText(await write('mixed.jsonl', lines([english, english, english, german])), null);
    expect(mixed.languages.map(({ code }) => code)).toEqual(['eng', 'deu']);
    expect(mixed.languages[0]?.share).toBeCloseTo(0.74, 1);
    expect((await previewText(await write('japanese.jsonl', lines([japanese])), null)).languages).toEqual([{ code: 'jpn', share: 1 }]);
    expect((await previewText(await write('numbers.jsonl', lines(['1 2 3 4 5 6 7 8'])), null)).languages).toEqual([]);
  });
});

test('a table of many rows is read in the memory of a few', async () => {
  const file = path.join(folder, 'many.csv');
  const line = `"${'words and more, '.repeat(6)}",1\n`;
  await pipeline(function* () {
    yield 'text,id\n';
    for (let count = 0; count < 300; count++) yield line.repeat(1000);
  }, createWriteStream(file));
  const before = process.memoryUsage().rss;
  let [rows, most] = [0, 0];
  for await (const { row } of openTextSource(file).documents) {
    rows++;
    if (row % 20_000 === 0) most = Math.max(most, process.memoryUsage().rss - before);
  }
  expect(rows).toBe(300_000);
  expect(most).toBeLessThan(160 * 2 ** 20);
});
