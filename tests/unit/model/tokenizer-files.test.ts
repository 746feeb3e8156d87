import { readFileSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadCheckpointTokenizer } from '../../../main/engine/jobs/checkpoint-tokenizer';
import { ggufTokenizerEntries, huggingfaceSideFiles } from '../../../main/engine/model/carried-tokenizer';
import { inspectCheckpoint, openCheckpoint } from '../../../main/engine/model/checkpoint';
import { readTokenizerConfig, readTokenizerFiles } from '../../../main/engine/model/tokenizer-files';
import { loadTokenizerFromSentencePiece } from '../../../main/engine/tokenizer/sentencepiece-tokenizer';
import { withTemporaryFolder } from '../../support/temporary-folder';
import { writeTinyFolder } from '../../support/tiny-model';

const SENTENCEPIECE = readFileSync(path.join(import.meta.dirname, '../../golden/data/sentencepiece/bpe.model'));

/** Writes files into a folder and gives their paths by name. */
async function write(folder: string, files: Readonly<Record<string, unknown>>): Promise<ReadonlyMap<string, string>> {
  const paths = new Map<string, string>();
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    await writeFile(file, typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content));
    paths.set(name, file);
  }
  return paths;
}

const NAMED = [{ name: 'default', template: 'inside' }, { name: 'tool_use', template: 'tools' }];

describe('a chat template', () => {
  test.each([
    ['in tokenizer_config.json', { 'tokenizer_config.json': { chat_template: 'inside' } }, 'inside'],
    ['in chat_template.json', { 'chat_template.json': { chat_template: 'json' }, 'tokenizer_config.json': { chat_template: 'inside' } }, 'json'],
    ['in chat_template.jinja, which outranks all', { 'chat_template.jinja': 'jinja', 'chat_template.json': { chat_template: 'json' }, 'tokenizer_config.json': { chat_template: 'inside' } }, 'jinja'],
    ['nowhere', { 'tokenizer_config.json': {} }, undefined],
    ['by name, the default one replaced', { 'chat_template.jinja': 'jinja', 'tokenizer_config.json': { chat_template: NAMED } }, [{ name: 'default', template: 'jinja' }, NAMED[1]]],
  ])('is found %s', async (_where, files, expected) => {
    await withTemporaryFolder(async (folder) => {
      expect((await readTokenizerConfig(await write(folder, files)))['chat_template']).toEqual(expected);
    });
  });
});

describe('a folder whose tokenizer is a tokenizer.model alone', () => {
  test('gives the ids of that model, and of tokens that other files add', async () => {
    await withTemporaryFolder(async (folder) => {
      const view = await writeTinyFolder(folder, { vocabulary: 604 });
      expect(view.config.vocabulary).toBe(604);
      await write(folder, {
        'tokenizer.model': SENTENCEPIECE,
        'added_tokens.json': { '<|im_end|>': 601 },
        'tokenizer_config.json': { chat_template: 'T', added_tokens_decoder: { 602: { content: '<|im_start|>', special: true } } },
      });
      const inspection = await inspectCheckpoint(folder);
      expect([inspection.tokenizer, inspection.hasChatTemplate]).toEqual(['SentencePiece BPE', true]);
      const source = await openCheckpoint(folder);
      try {
        const tokenizer = await loadCheckpointTokenizer(source);
        const plain = loadTokenizerFromSentencePiece(SENTENCEPIECE, null);
        expect(tokenizer.encode('Hello world', { special: true })).toEqual(plain.encode('Hello world', { special: true }));
        expect(tokenizer.encode('a<|im_end|><|im_start|>').slice(-2)).toEqual([601, 602]);
        expect(tokenizer.chatTemplate).toBe('T');
        expect((await huggingfaceSideFiles(source)).get('tokenizer.model')).toEqual(SENTENCEPIECE);
        const entries = await ggufTokenizerEntries(source, 604);
        expect(entries.get('tokenizer.ggml.model')?.value).toBe('llama');
        expect(Array.from(entries.get('tokenizer.ggml.token_type')?.value as Int32Array).slice(600)).toEqual([5, 4, 3, 5]);
        expect((entries.get('tokenizer.ggml.tokens')?.value as string[])[601]).toBe('<|im_end|>');
        const fewer = await ggufTokenizerEntries(source, 602);
        expect((fewer.get('tokenizer.ggml.tokens')?.value as string[]).slice(600)).toEqual(['[PAD600]', '<|im_end|>']);
        await expect(ggufTokenizerEntries(source, 599)).rejects.toThrow('more tokens than the model has rows');
      } finally {
        await source.close();
      }
    });
  });

  test('is refused where the file is a list in tiktoken form, or larger than any model', async () => {
    await withTemporaryFolder(async (folder) => {
      const tiktoken = await readTokenizerFiles(await write(folder, { 'tokenizer.model': 'IQ== 0\nIg== 1\n' }));
      expect(() => loadTokenizerFromSentencePiece(tiktoken?.kind === 'sentencepiece' ? tiktoken.bytes : new Uint8Array(), null)).toThrow(/tiktoken/);
      const large = await write(folder, { 'tokenizer.model': '' });
      await truncate(path.join(folder, 'tokenizer.model'), 2 ** 30);
      await expect(readTokenizerFiles(large)).rejects.toThrow(/1073741824 bytes; at most/);
    });
  });
});

describe('a folder whose tokenizer lies there in another form', () => {
  test.each([
    { files: { 'vocab.json': { a: 0 }, 'merges.txt': '#version: 0.2\n' }, words: 'merges.txt and vocab.json, a form that is not read' },
    { files: { 'vocab.txt': '[PAD]\n' }, words: 'vocab.txt, a form that is not read' },
    { files: { 'tekken.json': {} }, words: 'tekken.json, a form that is not read' },
  ])('is told so, with what to get: $words', async ({ files, words }) => {
    await withTemporaryFolder(async (folder) => {
      await writeTinyFolder(folder);
      await write(folder, files);
      const { tokenizer, problems } = await inspectCheckpoint(folder);
      expect([tokenizer, problems]).toEqual(['none', [{ severity: 'warning', code: 'no-tokenizer', message: expect.stringContaining(words) as unknown, hint: expect.stringContaining('tokenizer.json') as unknown }]]);
      const source = await openCheckpoint(folder);
      await expect(loadCheckpointTokenizer(source)).rejects.toThrow(words);
      expect([...(await huggingfaceSideFiles(source)).keys()]).toEqual(Object.keys(files).sort());
      await source.close();
    });
  });
});
