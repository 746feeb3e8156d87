/**
 * Cuts texts at SentencePiece's marks for spaces. SentencePiece works on whole texts; where no token holds a mark
 * after another character, no token can lie across that place, so cutting there changes nothing and lets words be
 * cached.
 */

/** SentencePiece's mark for a space. */
export const WORD_MARK = '▁';

/** Whether a token holds a mark that does not belong to a run of marks at its start. */
export function marksInside(token: string): boolean {
  for (let mark = token.indexOf(WORD_MARK, 1); mark !== -1; mark = token.indexOf(WORD_MARK, mark + 1)) {
    if (token[mark - 1] !== WORD_MARK) return true;
  }
  return false;
}

/** Calls `use` with each part of a text that begins with a run of marks, in order. */
export function cutAtMarks(text: string, use: (word: string) => void): void {
  let start = 0;
  for (let mark = text.indexOf(WORD_MARK, 1); mark !== -1; mark = text.indexOf(WORD_MARK, mark + 1)) {
    if (text[mark - 1] === WORD_MARK) continue;
    use(text.slice(start, mark));
    start = mark;
  }
  use(start === 0 ? text : text.slice(start));
}
