/** Remembers the ids of words: texts repeat few words often. It owns the memory limit, not how a word is encoded. */

/** Words cached at most; about 10 MB. The cache starts anew when full: texts change topic, and counting uses costs more. */
const MAX_CACHED_WORDS = 65_536;
/** Longer words hardly ever come again. */
const MAX_CACHED_CHARACTERS = 64;

/** Ids by word, computed once by `encode` as long as the word is remembered. */
export class WordCache {
  private readonly words = new Map<string, readonly number[]>();
  private readonly encode: (word: string) => readonly number[];

  constructor(encode: (word: string) => readonly number[]) {
    this.encode = encode;
  }

  /** Appends the ids of a word. */
  append(word: string, ids: number[]): void {
    let found = this.words.get(word);
    if (found === undefined) {
      found = this.encode(word);
      if (word.length <= MAX_CACHED_CHARACTERS) {
        if (this.words.size >= MAX_CACHED_WORDS) this.words.clear();
        this.words.set(word, found);
      }
    }
    for (const id of found) ids.push(id);
  }
}
