/** Unigram vocabularies in GGUF files (`t5`): as a SentencePiece model, and as parts of a tokenizer.json. */
import { missing, readNumbers, readScores, type GgufMetadataLike } from './gguf-metadata';
import type { GgufVocabulary } from './gguf-to-json';
import { uniqueTokens } from './merges-from-scores';
import type { SentencePieceModel } from './sentencepiece-model';
import { marksInside, WORD_MARK } from './word-marks';

/** The SentencePiece model that the metadata came from. Raises FormatError. */
export function unigramModelOfGguf(metadata: GgufMetadataLike, vocabulary: GgufVocabulary): SentencePieceModel {
  const { tokens, types, bosId, eosIds, unknownId } = vocabulary;
  return {
    type: 'unigram',
    tokens: uniqueTokens(tokens).map(([token]) => token),
    scores: Float32Array.from(readScores(metadata, tokens.length)),
    types: Int32Array.from(types),
    byteFallback: false,
    unknownId,
    bosId,
    eosId: eosIds[0] ?? null,
    charsmap: readCharsmap(metadata.get('tokenizer.ggml.precompiled_charsmap')),
    addsSpaceBefore: metadata.get('tokenizer.ggml.add_space_prefix') === true,
    removesExtraSpaces: metadata.get('tokenizer.ggml.remove_extra_whitespaces') === true,
  };
}

function readCharsmap(value: unknown): Uint8Array {
  if (value === undefined) return new Uint8Array();
  const count: unknown = Array.isArray(value) || ArrayBuffer.isView(value) ? Reflect.get(value, 'length') : null;
  if (typeof count !== 'number') throw missing('tokenizer.ggml.precompiled_charsmap');
  const metadata = new Map([['tokenizer.ggml.precompiled_charsmap', value]]);
  return Uint8Array.from(readNumbers(metadata, 'tokenizer.ggml.precompiled_charsmap', count) ?? []);
}

/** Parts of a tokenizer.json that do what the model does, as far as Hugging Face's format can say it. */
export function unigramJsonParts(model: SentencePieceModel): {
  readonly normalizer: unknown;
  readonly preTokenizer: unknown;
  readonly decoder: unknown;
  readonly model: unknown;
} {
  const normalizers: unknown[] = [];
  if (model.charsmap.length > 0) normalizers.push({ type: 'Precompiled', precompiled_charsmap: Buffer.from(model.charsmap).toString('base64') });
  if (model.removesExtraSpaces) {
    normalizers.push({ type: 'Strip', strip_left: true, strip_right: true });
    normalizers.push({ type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' });
  }
  const scheme = model.addsSpaceBefore ? 'always' : 'never';
  const metaspace = { type: 'Metaspace', replacement: WORD_MARK, prepend_scheme: scheme, split: !model.tokens.some(marksInside) };
  return {
    normalizer: normalizers.length === 0 ? null : { type: 'Sequence', normalizers },
    preTokenizer: metaspace,
    decoder: metaspace,
    model: {
      type: 'Unigram',
      unk_id: model.unknownId,
      vocab: model.tokens.map((token, id) => [token, model.scores[id] ?? 0]),
      byte_fallback: model.byteFallback,
    },
  };
}
