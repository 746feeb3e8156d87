import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { textPreviewSchema, type Problem } from '../../preload/contract/model';
import { readIdsFile } from '../../main/engine/data/ids-file';
import { previewText } from '../../main/engine/data/preview';
import { documentText, type Document } from '../../main/engine/data/rows';
import { openTextSource, readStage } from '../../main/engine/data/text-source';
import { readIdsBlocks, readTextBlocks } from '../../main/engine/data/token-source';
import { firstInvalidByte } from '../../main/engine/data/utf8-file';
import { readWholeText } from '../../main/engine/data/whole-text';
import { AppError } from '../../main/engine/support/errors';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { vocabularyMetadata } from '../support/tokenizer-data';

let folder = '';
beforeAll(async () => {
  // Ideographic space and umlaut, as users' folders have them.
  folder = path.join(await mkdtemp(path.join(os.tmpdir(), 'shear-texts-')), 'Texte　ü 1');
  await mkdir(folder);
});
afterAll(() => rm(path.dirname(folder), { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return file;
}

async function read(file: string, onProblem?: (problem: Problem, row: number) => void): Promise<{ documents: Document[]; format: string }> {
  const source = openTextSource(file, { onProblem });
  const documents: Document[] = [];
  for await (const { document } of source.documents) documents.push(document);
  return { documents, format: source.format };
}

async function texts(file: string): Promise<string[]> {
  return (await read(file)).documents.map((document) => documentText(document, null));
}

async function errorOf(run: () => Promise<unknown>): Promise<AppError> {
  const error: unknown = await run().then(() => null, (reason: unknown) => reason);
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, found ${String(error)}`);
}

describe('plain texts', () => {
  test('are read with a byte-order mark, Windows line ends and an unfinished last line', async () => {
    const file = await write('windows.txt', '\uFEFFOne\r\nTwo\r\n\r\nThree');
    expect(await texts(file)).toEqual(['One\nTwo\n\nThree']);
    expect(await readWholeText(file)).toBe('\uFEFFOne\r\nTwo\r\n\r\nThree');
  });

  test('are cut where a line says that a document ends', async () => {
    const file = await write('stories.md', '\nA story.\n\nIts end.\n<|endoftext|>\n<|endoftext|>\nAnother.\n<|endoftext|>\n');
    expect(await texts(file)).toEqual(['A story.\n\nIts end.', 'Another.']);
  });

  test('of many characters come in several documents that lose no line', async () => {
    const line = `${'word '.repeat(200)}end`;
    const file = await write('long.txt', `${line}\n`.repeat(2500));
    const documents = await texts(file);
    expect(documents.length).toBeGreaterThan(2);
    expect(documents.flatMap((text) => text.split('\n'))).toEqual(Array.from({ length: 2500 }, () => line));
  });

  test('keep characters that lie across the borders of what is read at once', async () => {
    const text = `${'x'.repeat((1 << 20) - 2)}🦙日本${'é'.repeat(600_000)}`;
    expect(await readWholeText(await write('border.txt', text))).toBe(text);
  });

  test('that are not UTF-8 are refused with the place and a guess', async () => {
    const latin = await errorOf(async () => readWholeText(await write('latin.txt', Buffer.from('Gr\xfc\xdfe', 'latin1'))));
    expect(latin.code).toBe('text');
    expect(latin.message).toContain('latin.txt');
    expect(latin.message).toContain('byte 2');
    expect(latin.hint).toContain('UTF-8');
    const utf16 = await errorOf(async () => texts(await write('utf16.txt', Buffer.from('\uFEFFtext', 'utf16le'))));
    expect(utf16.message).toContain('UTF-16');
    const far = Buffer.concat([Buffer.alloc(3_000_000, 'a'), Buffer.of(0xe2, 0x82)]);
    expect((await errorOf(async () => readWholeText(await write('cut.txt', far)))).details['offset']).toBe(3_000_000);
  });

  test('place wrong bytes as Unicode defines them', () => {
    expect(firstInvalidByte(Buffer.from('aé日🦙'))).toBe(10);
    for (const wrong of [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0x80], [0xe2, 0x28, 0xa1]]) {
      expect(firstInvalidByte(Buffer.from([0x61, ...wrong, 0x61]))).toBe(1);
    }
  });

  test('that are no texts, or not there, are named', async () => {
    expect((await errorOf(async () => texts(path.join(folder, 'none.txt')))).code).toBe('not-found');
    expect((await errorOf(async () => texts(folder))).message).toContain('folder');
    const table = await errorOf(async () => texts(await write('table.xlsx', 'a,b\n')));
    expect(table.code).toBe('unsupported');
    expect(table.hint).toContain('.csv');
  });
});

describe('rows', () => {
  test.each([
    ['field "text"', { id: 1, text: 'Plain.' }, ['Plain.']],
    ['chat messages', { messages: [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Ho' }] }, ['### Instruction:\nHi\n\n### Response:\nHo']],
    ['prompts with responses', { prompt: 'Q: ', response: 'A' }, ['Q: A']],
    ['instructions with answers', { instruction: 'Add', input: '1 2', output: '3' }, ['### Instruction:\nAdd\n\n1 2\n\n### Response:\n3']],
    ['instructions with several answers', { instruction: 'Add', instances: [{ input: '', output: '3' }, { output: '4' }] },
      ['### Instruction:\nAdd\n\n### Response:\n3', '### Instruction:\nAdd\n\n### Response:\n4']],
  ])('with %s are found, as lines and as a list', async (name, row, expected) => {
    const stage = 'text' in row ? 'pretraining' : 'instruction';
    const lines = await write('rows.jsonl', `\uFEFF${JSON.stringify(row)}\r\n\r\n${JSON.stringify(row)}`);
    expect(await texts(lines)).toEqual([...expected, ...expected]);
    expect((await read(lines)).format).toBe(`JSON lines, ${name}`);
    const list = await write('rows.json', JSON.stringify([row]));
    expect(await texts(list)).toEqual(expected);
    expect((await read(list)).format).toBe(`JSON list, ${name}`);
    for (const file of [lines, list]) {
      expect(await readStage(file)).toBe(stage);
      expect((await previewText(file, null)).stage).toBe(stage);
    }
  });

  test('without the field are reported by number with what they have, and the rest is read', async () => {
    const file = await write('mixed.jsonl', '{"text":"one"}\n{"title":"T","body":"B"}\n{"text":"tw\n{"text":"three"}\n{"text":7}\n');
    const problems: [number, Problem][] = [];
    const { documents } = await read(file, (problem, row) => problems.push([row, problem]));
    expect(documents.map((document) => documentText(document, null))).toEqual(['one', 'three']);
    expect(problems.map(([row, problem]) => [row, problem.code])).toEqual([[2, 'row-without-text'], [3, 'row-not-json'], [5, 'row-without-text']]);
    expect(problems[0]?.[1].message).toContain('"title", "body"');
    expect(problems[0]?.[1].message).toContain('expected "text"');
    const strict = await errorOf(() => texts(file));
    expect(strict.details['row']).toBe(2);
  });

  test('say what they train by the first usable one; nothing after it is read', async () => {
    const usable = '{"no":1}\n{"instruction":"Add","output":"3"}\n';
    expect(await readStage(await write('late.jsonl', Buffer.concat([Buffer.from(usable + ' '.repeat(1 << 21)), Buffer.from([0xff])])))).toBe('instruction');
    expect(await readStage(await write('book.txt', 'A book with "instruction" and "output".'))).toBe('pretraining');
  });

  test('that are no list, no JSON or token ids are explained', async () => {
    expect((await errorOf(async () => texts(await write('object.json', '{"a":1}')))).message).toContain('"a"');
    expect((await errorOf(async () => texts(await write('lines.json', '{"text":"a"}\n{"text":"b"}')))).hint).toContain('.jsonl');
    expect((await errorOf(async () => texts(await write('numbers.json', '[1,2]')))).hint).toContain('token ids');
  });

  test('are measured as one text joined by blank lines', async () => {
    expect(await readWholeText(await write('whole.jsonl', '{"text":"a\\r\\n"}\n{"text":"b"}\n'))).toBe('a\r\n\n\nb');
  });
});

describe('files of token ids', () => {
  test('hold one list or a list of blocks', async () => {
    expect(await readIdsFile(await write('one.json', '[1, 2, 3]'), 10)).toEqual([[1, 2, 3]]);
    expect(await readIdsFile(await write('blocks.json', '[[1, 2], [3]]'), 10)).toEqual([[1, 2], [3]]);
    expect((await readIdsBlocks(await write('cut.json', '[[1,2,3],[4,5,6,7]]'), { length: 2, vocabulary: 10 })).map((block) => [...block])).toEqual([[1, 2], [3, 4], [5, 6]]);
  });

  test.each([
    ['ids of another model', '[1, 10]', 'place 2'],
    ['ids that are no whole numbers', '[[1], [2, 0.5]]', 'block 2, place 2'],
    ['mixed levels', '[[1], 2]', 'block 2'],
    ['an object', '{}', 'list'],
    ['nothing', '[]', 'no token ids'],
    ['no JSON', '[1,', 'not JSON'],
  ])('are refused with %s', async (_what, content, word) => {
    const error = await errorOf(async () => readIdsFile(await write('bad.json', content), 10));
    expect(error.code).toBe('text');
    expect(error.message).toContain(word);
  });
});

describe('with a tokenizer', () => {
  const tokenizer = loadTokenizerFromGguf(vocabularyMetadata('smollm2'));

  test('a preview counts documents and tokens, shows the first and lists problems', async () => {
    const plain = await write('plain.txt', 'First paragraph,\nstill first.\n \nSecond.\n\n\nThird.\n\nFourth.\n');
    const preview = await previewText(plain, tokenizer);
    expect(v.parse(textPreviewSchema, preview)).toEqual(preview);
    expect(preview).toMatchObject({ name: 'plain.txt', format: 'plain text', documents: 4, samples: ['First paragraph,\nstill first.', 'Second.', 'Third.'], problems: [] });
    expect(preview.tokens).toBe(tokenizer.encode('First paragraph,\nstill first.\n \nSecond.\n\n\nThird.\n\nFourth.').length);
    expect((await previewText(plain, null)).tokens).toBe(0);

    const rows = await write('many.jsonl', `{"text":"${'long '.repeat(200)}"}\n${'{"no":1}\n'.repeat(25)}`);
    const found = await previewText(rows, tokenizer);
    expect(found.documents).toBe(1);
    expect(found.samples[0]?.length).toBeLessThan(410);
    expect(found).toMatchObject({ leftOut: 25, problems: [], columns: ['text', 'no'], tokensExact: true });
    expect(found.badRows).toHaveLength(25);
    expect(found.badRows[0]).toEqual({ row: 2, reason: 'has the field "no"; expected "text".' });

    const ids = await previewText(await write('ids.json', JSON.stringify([tokenizer.encode('Hello world'), [1]])), tokenizer);
    expect(ids).toMatchObject({ format: 'token ids', documents: 2, tokens: 3, samples: ['Hello world', ''] });

    expect((await previewText(await write('empty.txt', '\n \n'), tokenizer)).problems[0]).toMatchObject({ severity: 'error', code: 'no-text' });
  });

  test("blocks hold the documents with the end token between, conversations in the model's own words", async () => {
    const file = await write('stories.txt', 'One two three.\n<|endoftext|>\nFour five.\n');
    const [end] = tokenizer.eosIds;
    const expected = [...tokenizer.encode('One two three.'), end, ...tokenizer.encode('Four five.'), end];
    const blocks = await readTextBlocks(file, tokenizer, { length: 2, vocabulary: 49152 });
    expect(blocks.flatMap((block) => [...block])).toEqual(expected.slice(0, Math.floor(expected.length / 2) * 2));
    expect(await readTextBlocks(file, tokenizer, { length: 2, vocabulary: 49152, maxTokens: 3 })).toHaveLength(2);

    const chat = await write('chat.jsonl', '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Ho"}]}');
    const chatIds = (await readTextBlocks(chat, tokenizer, { length: 1, vocabulary: 49152 })).flatMap((block) => [...block]);
    expect(chatIds.map((id) => tokenizer.tokenText(id)).join('')).toContain('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n');
  });

  test('ids outside the model are refused', async () => {
    const error = await errorOf(async () => readTextBlocks(await write('small.txt', 'Zebra'), tokenizer, { length: 2, vocabulary: 20 }));
    expect(error.message).toContain('only 20 tokens');
  });

  test('reading stops when the work is cancelled', async () => {
    const file = await write('cancel.txt', 'a\n<|endoftext|>\n'.repeat(100));
    const error = await errorOf(() => readTextBlocks(file, tokenizer, { length: 2, vocabulary: 49152, signal: AbortSignal.abort() }));
    expect(error.code).toBe('cancelled');
  });
});
