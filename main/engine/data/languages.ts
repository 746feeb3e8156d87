/** Which languages a text is in, told offline from its letters in threes (franc; the 82 languages with most speakers). */
import { franc } from 'franc-min';

/** A language by its code of ISO 639-3, and its share of what was looked at, 0 to 1. */
export interface LanguageShare {
  readonly code: string;
  readonly share: number;
}

/** Pieces kept; when there are more, every second goes, so that they stay spread over the whole text. */
const MOST_PIECES = 128;
const PIECE_CHARACTERS = 500;
/** One piece of so many characters of a long document. */
const STRIDE_CHARACTERS = 20_000;
/** Shorter pieces tell little. */
const FEWEST_CHARACTERS = 60;
/** Languages that are named, and the least share that names one. */
const MOST_LANGUAGES = 4;
const LEAST_SHARE = 0.05;

/** Collects pieces of a text as it streams by; what they add up to is the answer. */
export class LanguageSample {
  private pieces: string[] = [];
  private seen = 0;
  private every = 1;

  add(text: string): void {
    for (let start = 0; start < text.length; start += STRIDE_CHARACTERS) {
      if (this.seen++ % this.every !== 0) continue;
      const piece = text.slice(start, start + PIECE_CHARACTERS).trim();
      if (piece.length >= FEWEST_CHARACTERS || isDense(piece)) this.pieces.push(piece);
      if (this.pieces.length < MOST_PIECES) continue;
      this.pieces = this.pieces.filter((_, index) => index % 2 === 0);
      this.every *= 2;
    }
  }

  /** The languages by share, largest first; none where the text is too short or no language is recognised. */
  languages(): LanguageShare[] {
    const characters = new Map<string, number>();
    let total = 0;
    for (const piece of this.pieces) {
      const code = franc(piece, { minLength: 10 });
      total += piece.length;
      if (code !== UNDETERMINED) characters.set(code, (characters.get(code) ?? 0) + piece.length);
    }
    return [...characters]
      .map(([code, count]) => ({ code, share: count / total }))
      .filter(({ share }) => share >= LEAST_SHARE)
      .sort((a, b) => b.share - a.share)
      .slice(0, MOST_LANGUAGES);
  }
}

/** Scripts whose characters are syllables or words say in ten what letters say in sixty. */
function isDense(piece: string): boolean {
  return piece.length >= 10 && /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/.test(piece);
}

const UNDETERMINED = 'und';
