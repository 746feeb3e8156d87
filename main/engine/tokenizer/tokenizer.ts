/** What the engine asks of a tokenizer, whatever file it came from. */
export interface Tokenizer {
  /** For people: `byte-level BPE`, `SentencePiece BPE`. */
  readonly kind: string;
  readonly vocabularySize: number;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
  /** Token ids of a text. No special tokens are added unless `special` is true (then BOS as the model wants it). */
  encode(text: string, options?: { readonly special?: boolean }): number[];
  /** The text of ids; special tokens are left out. Incomplete UTF-8 becomes U+FFFD. */
  decode(ids: readonly number[]): string;
  /** The text that stands for one token in a prompt, special tokens included; null for an id without a token. */
  tokenText(id: number): string | null;
  /** Jinja source of the chat template, if the model has one. */
  readonly chatTemplate: string | null;
}
