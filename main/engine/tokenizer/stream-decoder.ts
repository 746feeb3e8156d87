/** Decodes ids as they arrive, for showing text while it is generated. */
import type { Tokenizer } from './tokenizer';

/** A character has at most four bytes, so a longer wait for its end means that the bytes are not UTF-8. */
const MAX_WAITING_IDS = 4;
/** Enough for any run of special tokens that a model writes; keeps the cost of an id bounded. */
const MAX_CONTEXT_IDS = 64;
const INCOMPLETE = '\uFFFD';

/**
 * Gives out the text of ids piece by piece, never half a character. The pieces joined are what `decode` gives for
 * all ids. Cost per id does not grow with the text: only the last few ids are decoded again.
 */
export class StreamDecoder {
  private readonly tokenizer: Tokenizer;
  /** Ids whose text was given out but which the next ones may need as context (the space before a word). */
  private context: number[] = [];
  private waiting: number[] = [];

  constructor(tokenizer: Tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** The text that an id completes; empty while a character is unfinished. */
  push(id: number): string {
    this.waiting.push(id);
    const text = this.waitingText();
    if (text.endsWith(INCOMPLETE) && this.waiting.length < MAX_WAITING_IDS) return '';
    // Ids without text stay beside the older ones: the first space of a text, left out by SentencePiece, is such an id.
    this.context = text === '' ? [...this.context, ...this.waiting].slice(-MAX_CONTEXT_IDS) : this.waiting;
    this.waiting = [];
    return text;
  }

  /** What is left at the end: an unfinished character as U+FFFD. */
  flush(): string {
    const text = this.waitingText();
    this.waiting = [];
    this.context = [];
    return text;
  }

  private waitingText(): string {
    const before = this.tokenizer.decode(this.context);
    return this.tokenizer.decode([...this.context, ...this.waiting]).slice(before.length);
  }
}
