/** Reads the `model` of a tokenizer.json: the vocabulary, and what turns a word into its ids. */
import * as v from 'valibot';
import { FormatError, UnsupportedError } from '../support/errors';
import { describeValue } from '../support/describe-value';
import { flag, MAX_ID, parseAs, text } from './json-fields';
import type { BpeSpec, ModelSpec, UnigramSpec } from './spec';
import { unknownScore } from './unigram';

const MAX_MERGES = 2 ** 22;

const bpeSchema = v.object({
  type: v.nullish(v.string()),
  // Not v.record: it drops keys such as `constructor`, which are tokens of vocabularies that know code.
  vocab: v.custom<Readonly<Record<string, unknown>>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'expected an object from token to id'),
  merges: v.pipe(v.array(v.unknown()), v.maxLength(MAX_MERGES)),
  unk_token: v.nullish(text),
  fuse_unk: flag(false),
  byte_fallback: flag(false),
  ignore_merges: flag(false),
  dropout: v.nullish(v.number()),
  continuing_subword_prefix: v.nullish(v.string()),
  end_of_word_suffix: v.nullish(v.string()),
});

const unigramSchema = v.object({
  vocab: v.pipe(v.array(v.unknown()), v.minLength(1), v.maxLength(MAX_ID + 1)),
  unk_id: v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  byte_fallback: flag(false),
});

/** What kinds that are not run are, for people. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  WordPiece: 'which models of the BERT kind have',
  WordLevel: 'which knows whole words only',
};

/** Raises FormatError where the model does not follow its format, UnsupportedError for kinds that are not run. */
export function parseModel(node: Readonly<Record<string, unknown>>): ModelSpec {
  const kind = node['type'] ?? impliedKind(node);
  if (kind === 'BPE') return parseBpe(node);
  if (kind === 'Unigram') return parseUnigram(node);
  const name = describeValue(kind);
  const what = Object.hasOwn(OTHER_KINDS, name) ? `, ${OTHER_KINDS[name] ?? ''}` : '';
  throw new UnsupportedError(`The tokenizer is of the kind "${name}"${what}; this program reads the kinds BPE and Unigram.`, {
    hint: 'Models that write text, such as Llama, Mistral, SmolLM, Qwen, Gemma and Phi, have BPE tokenizers.',
    details: { feature: 'tokenizer model', found: name },
  });
}

/** Older files leave the kind out. */
function impliedKind({ merges, vocab }: Readonly<Record<string, unknown>>): string {
  if (merges !== undefined) return 'BPE';
  return Array.isArray(vocab) ? 'Unigram' : 'unknown';
}

function parseBpe(node: Readonly<Record<string, unknown>>): BpeSpec {
  const model = parseAs(bpeSchema, node, 'model');
  for (const key of ['continuing_subword_prefix', 'end_of_word_suffix'] as const) {
    const found = model[key];
    if (found !== undefined && found !== null && found !== '') {
      throw new UnsupportedError(`The tokenizer uses model.${key} "${found}", which this program does not run.`, {
        details: { feature: `tokenizer model.${key}`, found },
      });
    }
  }
  return {
    type: 'bpe',
    vocabulary: parseVocabulary(model.vocab),
    merges: model.merges.map(parseMerge),
    unknownToken: model.unk_token ?? null,
    fuseUnknown: model.fuse_unk,
    byteFallback: model.byte_fallback,
    ignoreMerges: model.ignore_merges,
  };
}

function parseVocabulary(entries: Readonly<Record<string, unknown>>): ReadonlyMap<string, number> {
  const vocabulary = new Map<string, number>();
  const tokens: string[] = [];
  for (const [token, value] of Object.entries(entries)) {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > MAX_ID) {
      throw new FormatError(`tokenizer.json gives the token "${token}" the id ${describeValue(value)}; expected a whole number from 0 to ${MAX_ID}.`, {
        details: { file: 'tokenizer.json', where: 'model.vocab' },
      });
    }
    const other = tokens[value];
    if (other !== undefined) {
      throw new FormatError(`tokenizer.json gives the tokens "${other}" and "${token}" the same id ${value}.`, {
        hint: 'The file may be damaged. Get the model again from where it came from.',
        details: { file: 'tokenizer.json', where: 'model.vocab' },
      });
    }
    tokens[value] = token;
    vocabulary.set(token, value);
  }
  return vocabulary;
}

/** Merges are written as "left right" or, where tokens contain spaces, as [left, right]. */
function parseMerge(merge: unknown, index: number): readonly [string, string] {
  if (typeof merge === 'string') {
    // From 1: a token may itself begin with a space, it is never empty.
    const space = merge.indexOf(' ', 1);
    if (space > 0 && space < merge.length - 1) return [merge.slice(0, space), merge.slice(space + 1)];
  } else if (Array.isArray(merge) && merge.length === 2) {
    const [left, right] = merge as readonly unknown[];
    if (typeof left === 'string' && typeof right === 'string' && left !== '' && right !== '') return [left, right];
  }
  throw new FormatError(`tokenizer.json does not follow its format at model.merges[${index}]: expected two tokens, found ${describeValue(merge)}.`, {
    details: { file: 'tokenizer.json', where: 'model.merges' },
  });
}

/** The vocabulary is a list of [token, score]; its order gives the ids. Of a token that comes twice the last counts. */
function parseUnigram(node: Readonly<Record<string, unknown>>): UnigramSpec {
  const model = parseAs(unigramSchema, node, 'model');
  const vocabulary = new Map<string, number>();
  const scores = new Map<string, number>();
  const tokens = model.vocab.map((entry, id) => {
    const [token, score] = Array.isArray(entry) ? (entry as readonly unknown[]) : [];
    if (typeof token !== 'string' || typeof score !== 'number') {
      throw new FormatError(`tokenizer.json does not follow its format at model.vocab[${id}]: expected a token and its score, found ${describeValue(entry)}.`, {
        details: { file: 'tokenizer.json', where: 'model.vocab' },
      });
    }
    vocabulary.set(token, id);
    scores.set(token, score);
    return token;
  });
  const unknownToken = model.unk_id === null || model.unk_id === undefined ? null : (tokens[model.unk_id] ?? null);
  if (unknownToken === null && typeof model.unk_id === 'number') {
    throw new FormatError(`tokenizer.json says that token ${model.unk_id} stands for the unknown, but has only ${tokens.length} tokens.`, {
      details: { file: 'tokenizer.json', where: 'model.unk_id' },
    });
  }
  return { type: 'unigram', vocabulary, scores, unknownScore: unknownScore(scores.values()), unknownToken, byteFallback: model.byte_fallback };
}
