/**
 * Reads `tokenizer.model`, SentencePiece's file: a protobuf message whose fields are those of sentencepiece_model.proto
 * (github.com/google/sentencepiece). Read field by field under limits, for the file is a stranger's.
 */
import protobuf from 'protobufjs/light.js';
import { FormatError, UnsupportedError } from '../support/errors';
import { TOKEN_TYPES } from './token-types';

/** What SentencePiece knows: tokens with their scores and kinds, and how a text is prepared. */
export interface SentencePieceModel {
  readonly type: 'unigram' | 'bpe';
  /** The token of each id. */
  readonly tokens: readonly string[];
  readonly scores: Float32Array;
  /** Values of TOKEN_TYPES. */
  readonly types: Int32Array;
  readonly byteFallback: boolean;
  readonly unknownId: number | null;
  readonly bosId: number | null;
  readonly eosId: number | null;
  /** Empty where characters stay as they are. */
  readonly charsmap: Uint8Array;
  readonly addsSpaceBefore: boolean;
  readonly removesExtraSpaces: boolean;
}

/** Gemma's, the largest known, has 4.7 MB. */
export const MAX_SENTENCEPIECE_BYTES = 64 * 1024 * 1024;
const MAX_TOKENS = 2 ** 22;
const MODEL_TYPES: readonly (string | undefined)[] = [undefined, 'unigram', 'bpe', 'word', 'char'];
const VARINT = 0;
const BYTES = 2;
const FIXED_32 = 5;
const WIRE_TYPES = [VARINT, 1, BYTES, FIXED_32];

/** Raises FormatError for a file that is no SentencePiece model or a damaged one, UnsupportedError for other kinds. */
export function parseSentencePieceModel(bytes: Uint8Array): SentencePieceModel {
  if (bytes.length > MAX_SENTENCEPIECE_BYTES) throw damaged(`it has ${bytes.length} bytes; at most ${MAX_SENTENCEPIECE_BYTES} are read`);
  refuseTiktoken(bytes);
  const pieces: { readonly token: string; readonly score: number; readonly type: number }[] = [];
  let trainer = new Map<number, FieldValue>();
  let normalizer = new Map<number, FieldValue>();
  for (const [field, value] of readFields(bytes)) {
    if (field === 1) {
      if (pieces.length >= MAX_TOKENS) throw damaged(`it has more than ${MAX_TOKENS} tokens`);
      pieces.push(readPiece(value, pieces.length));
    } else if (field === 2) trainer = new Map(readFields(bytesOf(value)));
    else if (field === 3) normalizer = new Map(readFields(bytesOf(value)));
  }
  if (pieces.length === 0) throw damaged('it holds no tokens');
  const flag = (fields: ReadonlyMap<number, FieldValue>, field: number, otherwise: boolean): boolean => {
    const value = fields.get(field);
    return value === undefined ? otherwise : numberOf(value) !== 0;
  };
  if (flag(trainer, 24, false)) throw unsupported('puts the mark for a space behind words', 'treat_whitespace_as_suffix');
  if (!flag(normalizer, 5, true)) throw unsupported('does not mark spaces', 'escape_whitespaces');
  const id = (field: number, otherwise: number): number | null => {
    const found = trainer.get(field);
    // Negative numbers, which stand for "none", come as ten bytes of which protobufjs gives the low 32 bits.
    const value = found === undefined ? otherwise : numberOf(found) | 0;
    return value >= 0 && value < pieces.length ? value : null;
  };
  const unknownId = pieces.findIndex(({ type }) => type === TOKEN_TYPES.unknown);
  refuseDuplicates(pieces.map(({ token }) => token));
  return {
    type: modelType(trainer.get(3)),
    tokens: pieces.map(({ token }) => token),
    scores: Float32Array.from(pieces, ({ score }) => score),
    types: Int32Array.from(pieces, ({ type }) => type),
    byteFallback: flag(trainer, 35, false),
    unknownId: unknownId === -1 ? null : unknownId,
    bosId: id(41, 1),
    eosId: id(42, 2),
    charsmap: normalizer.has(2) ? bytesOf(normalizer.get(2)) : new Uint8Array(),
    addsSpaceBefore: flag(normalizer, 3, true),
    removesExtraSpaces: flag(normalizer, 4, true),
  };
}

type FieldValue = number | Uint8Array;

/** Fields of a message in their order: numbers, floats as their four bytes, and everything with a length as bytes. */
function* readFields(bytes: Uint8Array): Generator<[number, FieldValue]> {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    let field: number;
    let value: FieldValue | null = null;
    try {
      const tag = reader.uint32();
      field = tag >>> 3;
      const wire = tag & 7;
      if (field === 0 || !WIRE_TYPES.includes(wire)) throw new RangeError(`byte ${reader.pos} begins no field`);
      if (wire === VARINT) value = reader.uint32();
      else if (wire === BYTES) value = reader.bytes();
      else if (wire === FIXED_32) value = bytes.subarray(reader.pos, reader.skip(4).pos);
      else reader.skip(8);
    } catch (error) {
      throw damaged(error instanceof Error ? error.message : String(error), error);
    }
    if (value !== null) yield [field, value];
  }
}

function readPiece(value: FieldValue, index: number): { readonly token: string; readonly score: number; readonly type: number } {
  const fields = new Map(readFields(bytesOf(value)));
  const type = fields.get(3);
  const score = fields.get(2);
  const scoreBytes = score === undefined ? new Uint8Array(4) : bytesOf(score);
  if (scoreBytes.length !== 4) throw damaged(`the score of token ${index} is no number`);
  const piece = {
    token: textOf(fields.get(1), index),
    score: new DataView(scoreBytes.buffer, scoreBytes.byteOffset, 4).getFloat32(0, true),
    type: type === undefined ? TOKEN_TYPES.normal : numberOf(type),
  };
  if (!Number.isFinite(piece.score)) throw damaged(`the score of token ${index} is ${piece.score}`);
  if (!Object.values(TOKEN_TYPES).some((known) => known === piece.type)) throw damaged(`token ${index} is of the kind ${piece.type}, which does not exist`);
  return piece;
}

function textOf(value: FieldValue | undefined, index: number): string {
  const bytes = bytesOf(value);
  if (bytes.length === 0) throw damaged(`token ${index} has no text`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw damaged(`token ${index} is not UTF-8 text`, error);
  }
}

function bytesOf(value: FieldValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw damaged('a number stands where a text or a part is expected');
}

function numberOf(value: FieldValue): number {
  if (typeof value === 'number') return value;
  throw damaged('a text stands where a number is expected');
}

function modelType(value: FieldValue | undefined): 'unigram' | 'bpe' {
  const number = value === undefined ? 1 : numberOf(value);
  const name = MODEL_TYPES[number];
  if (name === 'unigram' || name === 'bpe') return name;
  throw unsupported(`is of the kind "${name ?? String(number)}"; this program reads "unigram" and "bpe"`, 'model_type');
}

function refuseDuplicates(tokens: readonly string[]): void {
  const seen = new Map<string, number>();
  tokens.forEach((token, index) => {
    const before = seen.get(token);
    if (before !== undefined) throw damaged(`the token "${token.slice(0, 80)}" occurs twice, as number ${before} and as number ${index}`);
    seen.set(token, index);
  });
}

/** Llama 3's original folders have a file of the same name that is a list of tokens in base64. */
function refuseTiktoken(bytes: Uint8Array): void {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 64));
  if (!/^[A-Za-z0-9+/]+={0,2} \d+\r?\n/.test(start)) return;
  throw new UnsupportedError("tokenizer.model is a list in tiktoken's form, which does not say how texts are cut into words.", {
    hint: 'Put the tokenizer.json of the same model beside it; it is on the page that the model comes from.',
    details: { feature: 'tokenizer.model', found: 'tiktoken' },
  });
}

function unsupported(what: string, found: string): UnsupportedError {
  return new UnsupportedError(`The SentencePiece tokenizer ${what}, which this program does not run.`, {
    hint: 'A tokenizer.json of the same model may work, put beside it.',
    details: { feature: 'tokenizer.model', found },
  });
}

function damaged(what: string, cause?: unknown): FormatError {
  return new FormatError(`tokenizer.model cannot be read: ${what}.`, {
    hint: 'The file may be damaged or cut off. Get the model again from where it came from.',
    details: { file: 'tokenizer.model' },
    cause,
  });
}
