import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { previewText } from '../../main/engine/data/preview';
import { readTextBlocks } from '../../main/engine/data/token-source';
import { loadTokenizerFromJson } from '../../main/engine/tokenizer/json-tokenizer';

const EXAMPLE = path.join(import.meta.dirname, '../../resources/example');

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(path.join(EXAMPLE, file), 'utf8'));
}

const index = readJson('texts/index.json') as { file: string; name: string; about: string; licence: string }[];
const tokenizer = loadTokenizerFromJson(readJson('stories260K/tokenizer.json'), readJson('stories260K/tokenizer_config.json'));

describe('the starter texts', () => {
  test('are all listed, with a licence that LICENSES.md explains', () => {
    const files = readdirSync(path.join(EXAMPLE, 'texts')).filter((file) => /\.(txt|jsonl)$/.test(file) && !file.startsWith('LICENSE'));
    expect(index.map((entry) => entry.file).sort()).toEqual(files.sort());
    const licences = readFileSync(path.join(EXAMPLE, 'texts/LICENSES.md'), 'utf8');
    for (const { file, licence } of index) {
      expect(licences).toContain(`\`${file}\``);
      expect(licences.toLowerCase()).toContain(licence.toLowerCase());
    }
    expect(new Set(index.map((entry) => entry.name)).size).toBe(index.length);
  });

  test.each(index)('$file is readable without problems and long enough for the example', async ({ file }) => {
    const source = path.join(EXAMPLE, 'texts', file);
    const preview = await previewText(source, tokenizer);
    expect(preview.problems).toEqual([]);
    expect(preview.stage).toBe(file === 'instructions.jsonl' ? 'instruction' : 'pretraining');
    expect(preview.documents).toBeGreaterThan(3);
    expect(preview.tokens).toBeGreaterThan(20_000);
    expect((await readTextBlocks(source, tokenizer, { length: 256, vocabulary: 512 })).length).toBeGreaterThan(80);
  });
});
