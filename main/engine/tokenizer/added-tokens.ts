/** Finds added tokens (special tokens, and words added after training) in a text before anything is merged. */
import { compileTexts } from './patterns';
import type { AddedToken } from './spec';

/** A stretch of text, or a token found in it. `start` is the stretch's place in the text. */
export type Section = { readonly text: string; readonly start: number } | { readonly token: AddedToken };

const WORD_CHARACTER = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;
const SPACES_BEFORE = /\p{White_Space}+$/u;
const SPACES_AFTER = /^\p{White_Space}+/u;

/** Cuts texts at a set of added tokens; at one place the longest counts. */
export class AddedTokenSplitter {
  private readonly byContent: ReadonlyMap<string, AddedToken>;
  private readonly pattern: RegExp | null;

  /** `contentOf`: the text to look for, where it is not the token's own (after normalising). */
  constructor(tokens: readonly AddedToken[], contentOf: (token: AddedToken) => string = (token) => token.content) {
    const byContent = new Map<string, AddedToken>();
    for (const token of tokens) {
      const content = contentOf(token);
      if (content !== '') byContent.set(content, token);
    }
    this.byContent = byContent;
    const longestFirst = [...byContent.keys()].sort((a, b) => b.length - a.length);
    this.pattern = longestFirst.length === 0 ? null : compileTexts(longestFirst);
  }

  /** Sections of a text in order; `start` is the text's own place in a larger one. */
  split(text: string, start = 0): readonly Section[] {
    const { pattern } = this;
    if (pattern === null) return text === '' ? [] : [{ text, start }];
    const sections: Section[] = [];
    let end = 0;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const token = this.byContent.get(match[0]);
      if (token === undefined) continue;
      let from = match.index;
      let to = from + match[0].length;
      if (token.singleWord && touchesWord(text, from, to)) continue;
      if (token.stripLeft) from -= SPACES_BEFORE.exec(text.slice(end, from))?.[0].length ?? 0;
      if (token.stripRight) to += SPACES_AFTER.exec(text.slice(to))?.[0].length ?? 0;
      if (from > end) sections.push({ text: text.slice(end, from), start: start + end });
      sections.push({ token });
      end = to;
      pattern.lastIndex = to;
    }
    if (end < text.length) sections.push({ text: end === 0 ? text : text.slice(end), start: start + end });
    return sections;
  }
}

function touchesWord(text: string, from: number, to: number): boolean {
  return WORD_CHARACTER.test(text.slice(Math.max(0, from - 1), from)) || WORD_CHARACTER.test(text.slice(to, to + 1));
}
