import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../main/engine/support/errors';
import { Random } from '../../main/engine/support/random';
import { ggufToTokenizerConfig, ggufToTokenizerJson } from '../../main/engine/tokenizer/gguf-to-json';
import { loadTokenizerFromGguf } from '../../main/engine/tokenizer/gguf-tokenizer';
import { loadTokenizerFromJson } from '../../main/engine/tokenizer/json-tokenizer';
import { parseSentencePieceModel } from '../../main/engine/tokenizer/sentencepiece-model';
import { loadTokenizerFromSentencePiece, sentencePieceToGguf } from '../../main/engine/tokenizer/sentencepiece-tokenizer';
import type { Tokenizer } from '../../main/engine/tokenizer/tokenizer';

const DATA = join(import.meta.dirname, 'data/sentencepiece');
/** Without a start token: sentencepiece's `encode` adds none. */
const CONFIG = { add_bos_token: false };

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded?: string;
}

const modelBytes = (kind: string): Uint8Array => readFileSync(join(DATA, `${kind}.model`));
const casesOf = (name: string): readonly Case[] => JSON.parse(readFileSync(join(DATA, `${name}.json`), 'utf8')) as Case[];

function expectIds(tokenizer: Tokenizer, cases: readonly Case[]): void {
  expect(cases.length).toBeGreaterThan(200);
  for (const { text, ids } of cases) expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
}

/** Metadata of the GGUF vocabulary that is written for a model. */
function ggufOf(bytes: Uint8Array): ReadonlyMap<string, unknown> {
  return new Map([...sentencePieceToGguf(bytes, CONFIG)].map(([key, { value }]) => [key, value]));
}

describe.each(['bpe', 'unigram', 'unigram-spans'])('a tokenizer.model of the kind %s', (kind) => {
  it('gives the ids that sentencepiece gives', () => {
    expectIds(loadTokenizerFromSentencePiece(modelBytes(kind), CONFIG), casesOf(kind));
  });

  it('turns ids into the text that sentencepiece turns them into', () => {
    const tokenizer = loadTokenizerFromSentencePiece(modelBytes(kind), CONFIG);
    // sentencepiece writes a sign for the unknown, which this program leaves out.
    const known = casesOf(kind).filter(({ ids }) => !ids.includes(0));
    expect(known.length).toBeGreaterThan(10);
    for (const { ids, decoded } of known) expect(tokenizer.decode(ids)).toBe(decoded);
  });

  it('finds the tokens that end and start a text inside of it, as Hugging Face does and sentencepiece does not', () => {
    const tokenizer = loadTokenizerFromSentencePiece(modelBytes(kind), CONFIG);
    expect(tokenizer.encode('<s></s>')).toEqual([1, 2]);
    expect([tokenizer.bosId, tokenizer.eosIds]).toEqual([1, [2]]);
  });

  it('is refused in words when its bytes are damaged, never with another error', () => {
    const bytes = modelBytes(kind);
    const random = Random.fromSeed(5);
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const damaged = Uint8Array.from(bytes.subarray(0, round % 3 === 0 ? random.nextInteger(bytes.length) : bytes.length));
      // Near the start, where the tokens are, and anywhere, which is the table of characters for the most part.
      const reach = round % 2 === 0 ? Math.min(damaged.length, 9000) : damaged.length;
      for (let hit = 0; hit < 4 && reach > 0; hit++) damaged[random.nextInteger(reach)] = random.nextInteger(256);
      try {
        loadTokenizerFromSentencePiece(damaged, CONFIG).encode('two words, naïve ﬁne １２３');
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});

it('a BPE tokenizer.model gives the same ids from the GGUF vocabulary that is made of it', () => {
  const tokenizer = loadTokenizerFromGguf(ggufOf(modelBytes('bpe')));
  // After a token found in the text llama.cpp puts a space before what follows, where sentencepiece does not.
  const cases = casesOf('bpe').filter(({ text }) => !text.includes('<'));
  for (const { text, ids } of cases) expect({ text, ids: tokenizer.encode(text) }).toEqual({ text, ids });
});

describe('a Unigram vocabulary in a GGUF file', () => {
  it('keeps tokens, scores and types, and gives the ids that sentencepiece gives', () => {
    const bytes = modelBytes('unigram-spans');
    const metadata = ggufOf(bytes);
    const model = parseSentencePieceModel(bytes);
    expect(metadata.get('tokenizer.ggml.model')).toBe('t5');
    expect(metadata.get('tokenizer.ggml.scores')).toEqual(model.scores);
    expect(metadata.get('tokenizer.ggml.token_type')).toEqual(model.types);
    expectIds(loadTokenizerFromGguf(metadata), casesOf('unigram-spans'));
  });

  it('becomes a tokenizer.json that gives the same ids', () => {
    const metadata = ggufOf(modelBytes('unigram-spans'));
    const tokenizer = loadTokenizerFromJson(ggufToTokenizerJson(metadata), ggufToTokenizerConfig(metadata));
    expect(tokenizer.kind).toBe('Unigram');
    expectIds(tokenizer, casesOf('unigram-spans'));
  });

  it('is not written where llama.cpp would give other ids', () => {
    expect(() => sentencePieceToGguf(modelBytes('unigram'), CONFIG)).toThrow(/Unigram tokenizer with tokens for bytes/);
  });
});

describe("a Unigram tokenizer.json gives the ids that Hugging Face's tokenizers gives", () => {
  const model = parseSentencePieceModel(modelBytes('unigram'));
  const json = (spaces: boolean, scheme: string, split: boolean): unknown => ({
    added_tokens: model.tokens.flatMap((content, id) => {
      const type = model.types[id] ?? 1;
      return type > 1 && type < 5 ? [{ id, content, normalized: false, special: type !== 4 }] : [];
    }),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Precompiled', precompiled_charsmap: Buffer.from(model.charsmap).toString('base64') },
        ...(spaces ? [{ type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }] : []),
      ],
    },
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split },
    decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: scheme, split },
    model: { type: 'Unigram', unk_id: 0, vocab: model.tokens.map((token, id) => [token, model.scores[id] ?? 0]), byte_fallback: true },
  });

  it.each([['always', true, true], ['first', false, false], ['never', true, true]] as const)(
    'where the mark for a space is put in front %s',
    (scheme, spaces, split) => expectIds(loadTokenizerFromJson(json(spaces, scheme, split), null), casesOf(`hugging-face-${scheme}`)),
  );
});

it.each(['bpe', 'unigram', 'unigram-spans'])('a megabyte of new words is encoded within seconds by the kind %s', (kind) => {
  const tokenizer = loadTokenizerFromSentencePiece(modelBytes(kind), CONFIG);
  const random = Random.fromSeed(3);
  const letters = 'abcdefghijklmnopqrstuvwxyzéß日本';
  let text = '';
  while (text.length < 1_000_000) {
    const length = 1 + random.nextInteger(12);
    for (let place = 0; place < length; place++) text += letters[random.nextInteger(letters.length)] ?? '';
    text += ' ';
  }
  const started = performance.now();
  expect(tokenizer.encode(text).length).toBeGreaterThan(100_000);
  // Loose for slow machines; on this program's it takes one to two.
  expect(performance.now() - started).toBeLessThan(20_000);
});
