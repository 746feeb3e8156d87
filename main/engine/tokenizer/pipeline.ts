/**
 * Runs a TokenizerSpec: added tokens, normalising, cutting into pieces, merging, and back from ids to text. The
 * order and the meaning of each step are those of Hugging Face's `tokenizers`.
 */
import { TextError } from '../support/errors';
import { AddedTokenSplitter } from './added-tokens';
import { BpeEncoder } from './bpe';
import { compileDecoder, type DecodeTokens } from './decode';
import { compileNormalizer, type Normalize } from './normalize';
import { compilePattern, GPT2_PATTERN, splitByPattern } from './patterns';
import type { PreTokenizerStep, TokenizerSpec } from './spec';
import type { Tokenizer } from './tokenizer';
import { UnigramEncoder } from './unigram';

/** What a tokenizer needs beyond its spec: facts from tokenizer_config.json or GGUF metadata. */
export interface TokenizerFacts {
  readonly kind: string;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
  /** Ids that `encode` puts first when special tokens are asked for. */
  readonly prefixIds: readonly number[];
  readonly chatTemplate: string | null;
}

/** Appends the pieces of one piece; `start` is its section's place in the whole text. */
type PreTokenize = (piece: string, start: number, pieces: string[]) => void;

/** A Tokenizer for a spec. Raises FormatError or UnsupportedError when the spec cannot be run. */
export class PipelineTokenizer implements Tokenizer {
  readonly kind: string;
  readonly vocabularySize: number;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
  readonly chatTemplate: string | null;
  private readonly prefixIds: readonly number[];
  private readonly normalize: Normalize;
  private readonly preTokenize: readonly PreTokenize[];
  private readonly encoder: BpeEncoder | UnigramEncoder;
  private readonly rawSplitter: AddedTokenSplitter;
  private readonly normalizedSplitter: AddedTokenSplitter;
  private readonly tokens: readonly (string | undefined)[];
  private readonly specialIds: ReadonlySet<number>;
  private readonly decodeTokens: DecodeTokens;

  constructor(spec: TokenizerSpec, facts: TokenizerFacts) {
    this.kind = facts.kind;
    this.bosId = facts.bosId;
    this.eosIds = facts.eosIds;
    this.chatTemplate = facts.chatTemplate;
    this.prefixIds = facts.prefixIds;
    this.normalize = compileNormalizer(spec.normalizer);
    this.preTokenize = spec.preTokenizer.map(compilePreTokenizer);
    this.encoder = spec.model.type === 'bpe' ? new BpeEncoder(spec.model, isByteLevel(spec)) : new UnigramEncoder(spec.model);
    this.rawSplitter = new AddedTokenSplitter(spec.addedTokens.filter((token) => token.lookedFor === 'text'));
    this.normalizedSplitter = new AddedTokenSplitter(
      spec.addedTokens.filter((token) => token.lookedFor !== 'text'),
      (token) => (token.lookedFor === 'normalized' ? this.normalize(token.content) : token.content),
    );
    this.decodeTokens = compileDecoder(spec.decoder);
    const tokens: (string | undefined)[] = [];
    for (const [token, id] of spec.model.vocabulary) tokens[id] = token;
    for (const token of spec.addedTokens) tokens[token.id] = token.content;
    this.tokens = tokens;
    this.vocabularySize = tokens.length;
    this.specialIds = new Set(spec.addedTokens.filter((token) => token.special).map((token) => token.id));
  }

  encode(text: string, options: { readonly special?: boolean } = {}): number[] {
    const ids: number[] = options.special === true ? [...this.prefixIds] : [];
    for (const section of this.rawSplitter.split(text)) {
      if ('token' in section) ids.push(section.token.id);
      else this.encodeSection(section.text, section.start, ids);
    }
    return ids;
  }

  decode(ids: readonly number[]): string {
    const tokens: string[] = [];
    for (const id of ids) {
      if (this.specialIds.has(id)) continue;
      const token = this.tokens[id];
      if (token !== undefined) tokens.push(token);
      // Ids between the tokens and the model's rows (padding) have no text; anything else is a mistake of the caller.
      else if (!(id >= 0 && Number.isInteger(id))) throw new TextError(`${id} is not a token id.`, { details: { id } });
    }
    return this.decodeTokens(tokens);
  }

  tokenText(id: number): string | null {
    const token = this.tokens[id];
    if (token === undefined) return null;
    return this.specialIds.has(id) ? token : this.decodeTokens([token]);
  }

  private encodeSection(text: string, start: number, ids: number[]): void {
    for (const section of this.normalizedSplitter.split(this.normalize(text), start)) {
      if ('token' in section) {
        ids.push(section.token.id);
        continue;
      }
      let pieces = [section.text];
      for (const step of this.preTokenize) {
        const finer: string[] = [];
        for (const piece of pieces) step(piece, section.start, finer);
        pieces = finer;
      }
      for (const piece of pieces) this.encoder.encode(piece, ids);
    }
  }
}

/** True when the vocabulary is written in the byte-level alphabet. */
export function isByteLevel(spec: TokenizerSpec): boolean {
  return spec.preTokenizer.some((step) => step.type === 'byteLevel');
}

function compilePreTokenizer(step: PreTokenizerStep): PreTokenize {
  switch (step.type) {
    case 'split': {
      const pattern = compilePattern(step.pattern);
      return (piece, _start, pieces) => splitByPattern(piece, pattern, step.behavior, step.invert, pieces);
    }
    case 'byteLevel': {
      // The pieces stay plain text; the encoder turns words into bytes, once per distinct word.
      const pattern = step.useRegex ? compilePattern({ kind: 'regex', source: GPT2_PATTERN }) : null;
      return (piece, _start, pieces) => {
        const text = step.addPrefixSpace && !piece.startsWith(' ') ? ` ${piece}` : piece;
        if (pattern === null) pieces.push(text);
        else splitByPattern(text, pattern, 'Isolated', false, pieces);
      };
    }
    case 'metaspace': {
      const pattern = step.split ? compilePattern({ kind: 'literal', text: step.mark }) : null;
      return (piece, start, pieces) => {
        let text = piece.replaceAll(' ', () => step.mark);
        const prepends = step.scheme === 'always' || (step.scheme === 'first' && start === 0);
        if (prepends && !text.startsWith(step.mark)) text = step.mark + text;
        if (pattern === null) pieces.push(text);
        else splitByPattern(text, pattern, 'MergedWithNext', false, pieces);
      };
    }
  }
}
