/**
 * What a SentencePiece model means as a TokenizerSpec: its normalizer's rules as steps, its user-defined pieces as
 * added tokens found in the normalised text, its control pieces as special tokens. Equal to the `sentencepiece` library
 * except that special tokens in a text are recognised, as Hugging Face and llama.cpp do.
 */
import { UnsupportedError } from '../support/errors';
import { mergesFromScores } from './merges-from-scores';
import type { SentencePieceModel } from './sentencepiece-model';
import type { AddedToken, DecoderStep, ModelSpec, NormalizerStep, TokenizerSpec, TokenPlace } from './spec';
import { TOKEN_TYPES } from './token-types';
import { unknownScore } from './unigram';
import { WORD_MARK } from './word-marks';

/** `extraTokens` are tokens that other files add. Raises UnsupportedError, and FormatError for hostile vocabularies. */
export function sentencePieceSpec(model: SentencePieceModel, extraTokens: readonly AddedToken[] = []): TokenizerSpec {
  const { tokens, bosId } = model;
  const ofType = (type: number): readonly number[] => [...tokens.keys()].filter((id) => model.types[id] === type);
  const userDefined = ofType(TOKEN_TYPES.userDefined);
  const special = [...ofType(TOKEN_TYPES.control), ...ofType(TOKEN_TYPES.unknown)];
  const bosToken = bosId === null || model.types[bosId] !== TOKEN_TYPES.control ? undefined : tokens[bosId];
  return {
    addedTokens: [
      ...special.map((id) => addedToken(id, tokens[id] ?? '', true, 'text')),
      ...userDefined.map((id) => addedToken(id, tokens[id] ?? '', false, 'normalized-as-is')),
      ...extraTokens.filter(({ id }) => id >= tokens.length),
    ],
    normalizer: normalizerSteps(model, userDefined.map((id) => tokens[id] ?? '')),
    preTokenizer: [],
    decoder: decoderSteps(model),
    model: modelSpec(model),
    // Models with such a file that is BPE (Llama, Mistral, Gemma) want a start token where nothing else is said.
    prefixTokens: model.type === 'bpe' && bosToken !== undefined ? [bosToken] : [],
  };
}

/** An added token without rules of its own. */
export function addedToken(id: number, content: string, special: boolean, lookedFor: TokenPlace): AddedToken {
  return { id, content, special, singleWord: false, stripLeft: false, stripRight: false, lookedFor };
}

function normalizerSteps(model: SentencePieceModel, kept: readonly string[]): NormalizerStep[] {
  const steps: NormalizerStep[] = [];
  if (model.charsmap.length > 0) steps.push({ type: 'charsmap', charsmap: model.charsmap, matching: 'longest', kept });
  if (model.removesExtraSpaces) steps.push({ type: 'extraSpaces', mark: WORD_MARK });
  if (model.addsSpaceBefore) steps.push({ type: 'prepend', text: WORD_MARK });
  steps.push({ type: 'replace', pattern: { kind: 'literal', text: ' ' }, content: WORD_MARK });
  return steps;
}

function decoderSteps({ addsSpaceBefore, removesExtraSpaces }: SentencePieceModel): DecoderStep[] {
  const steps: DecoderStep[] = [
    { type: 'replace', pattern: { kind: 'literal', text: WORD_MARK }, content: ' ' },
    { type: 'byteFallback' },
    { type: 'fuse' },
  ];
  if (addsSpaceBefore || removesExtraSpaces) steps.push({ type: 'strip', content: ' ', start: removesExtraSpaces ? Number.MAX_SAFE_INTEGER : 1, stop: 0 });
  return steps;
}

function modelSpec(model: SentencePieceModel): ModelSpec {
  const { tokens, types, scores, byteFallback } = model;
  const vocabulary = new Map(tokens.map((token, id): [string, number] => [token, id]));
  const unknownToken = model.unknownId === null ? null : (tokens[model.unknownId] ?? null);
  if (model.type === 'bpe') {
    if (types.includes(TOKEN_TYPES.unused)) {
      throw new UnsupportedError('The SentencePiece tokenizer merges through pieces that it marks as unused, which this program does not run.', {
        details: { feature: 'tokenizer.model', found: 'unused pieces' },
      });
    }
    const merges = mergesFromScores(tokens, types, scores);
    return { type: 'bpe', vocabulary, merges, unknownToken, fuseUnknown: true, byteFallback, ignoreMerges: false };
  }
  const normal = tokens.flatMap((token, id): [string, number][] => (types[id] === TOKEN_TYPES.normal ? [[token, scores[id] ?? 0]] : []));
  const scoresByToken = new Map(normal);
  return { type: 'unigram', vocabulary, scores: scoresByToken, unknownScore: unknownScore(scoresByToken.values()), unknownToken, byteFallback };
}
