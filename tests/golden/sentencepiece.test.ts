import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../main/engine/support/random';
import { AppError } from '../../main/engine/support/errors';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { loadTokenizerFromSentencePiece, sentencePieceToGguf } from '../../main/engine/tokenizer/sentencepiece-tokenizer';

const DATA = join(import.meta.dirname, 'data/sentencepiece');
/** Without a start token: sentencepiece's `encode` adds none. */
const CONFIG = { add_bos_token: false };

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
}

const read = async (kind: string): Promise<{ bytes: Uint8Array; cases: Case[] }> => ({
  bytes: await readFile(join(DATA, `${kind}.model`)),
  cases: JSON.parse(await readFile(join(DATA, `${kind}.json`), 'utf8')) as Case[],
});

describe.each(['bpe', 'unigram'])('a tokenizer.model of the kind %s', (kind) => {
  it('gives the ids that sentencepiece gives', async () => {
    const { bytes, cases } = await read(kind);
    const tokenizer = loadTokenizerFromSentencePiece(bytes, CONFIG);
    for (const { text, ids } of cases) expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
  });

  it('finds the tokens that end and start a text inside of it, as Hugging Face does and sentencepiece does not', async () => {
    expect(loadTokenizerFromSentencePiece((await read(kind)).bytes, CONFIG).encode('<s></s>')).toEqual([1, 2]);
  });

  it('is refused in words when its bytes are damaged, never with another error', async () => {
    const { bytes } = await read(kind);
    const random = Random.fromSeed(5);
    for (let round = 0; round < 200; round++) {
      const damaged = Uint8Array.from(bytes.subarray(0, round % 3 === 0 ? random.nextInteger(bytes.length) : bytes.length));
      for (let hit = 0; hit < 4 && damaged.length > 0; hit++) damaged[random.nextInteger(damaged.length)] = random.nextInteger(256);
      try {
        loadTokenizerFromSentencePiece(damaged, CONFIG).encode('two words');
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
    }
  });
});

it('a BPE tokenizer.model gives the same ids from the GGUF vocabulary that is made of it', async () => {
  const { bytes, cases } = await read('bpe');
  const entries = new Map([...sentencePieceToGguf(bytes, CONFIG)].map(([key, { value }]) => [key, value]));
  const tokenizer = loadTokenizerFromGguf(entries);
  for (const { text, ids } of cases) expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
});
