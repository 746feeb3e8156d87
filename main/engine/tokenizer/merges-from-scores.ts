/** The merges that a SentencePiece vocabulary implies: it names scores of tokens, not pairs. */
import { FormatError } from '../support/errors';
import { TOKEN_TYPES } from './token-types';

/** Longer tokens exist in no known vocabulary. */
const MAX_TOKEN_CHARACTERS = 2048;
/** Every cut of every token is tried, so the work grows with the square of a token's length; Gemma's is 20 million. */
const MAX_WORK = 2 ** 30;

/** Tokens with their ids; a text that occurs again (padding rows do) gets a name that no text can produce. */
export function uniqueTokens(tokens: readonly string[]): [string, number][] {
  const seen = new Set<string>();
  return tokens.map((token, id): [string, number] => {
    const name = seen.has(token) ? `<|duplicate ${id} of ${token}|>` : token;
    seen.add(name);
    return [name, id];
  });
}

/**
 * Every pair of tokens that makes a token, best score of the result first; among equals the order of the vocabulary, as
 * Hugging Face's converter has it. Raises FormatError for tokens so long that trying all cuts would take minutes.
 */
export function mergesFromScores(tokens: readonly string[], types: ArrayLike<number>, scores: ArrayLike<number>): [string, string][] {
  const ids = new Map(uniqueTokens(tokens));
  const merges: { readonly pair: [string, string]; readonly score: number }[] = [];
  let work = 0;
  tokens.forEach((token, id) => {
    // llama.cpp and SentencePiece merge into user-defined tokens as well (Gemma's runs of spaces are such).
    if (types[id] !== TOKEN_TYPES.normal && types[id] !== TOKEN_TYPES.userDefined) return;
    work += token.length * token.length;
    if (token.length > MAX_TOKEN_CHARACTERS || work > MAX_WORK) {
      throw new FormatError(`Token ${id} of the vocabulary is ${token.length} characters long and there are many such; no tokenizer of a model has them.`, {
        hint: 'The file may be damaged. Get the model again from where it came from.',
        details: { token: id },
      });
    }
    const pairs: { readonly pair: [string, string]; readonly left: number; readonly right: number }[] = [];
    for (let cut = 1; cut < token.length; cut++) {
      const pair: [string, string] = [token.slice(0, cut), token.slice(cut)];
      const left = ids.get(pair[0]);
      const right = ids.get(pair[1]);
      if (left !== undefined && right !== undefined) pairs.push({ pair, left, right });
    }
    pairs.sort((a, b) => a.left - b.left || a.right - b.right);
    for (const { pair } of pairs) merges.push({ pair, score: scores[id] ?? 0 });
  });
  // Array sorting is stable, which keeps the order of the vocabulary among equal scores.
  return merges.sort((a, b) => b.score - a.score).map((merge) => merge.pair);
}
