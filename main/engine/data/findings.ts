/**
 * What reading texts tells people. The shapes are those of the contract's `TextPreview` and `Problem`, stated here
 * because this folder knows nothing of the window; where the service hands them on, the compiler compares the two.
 */

/** What a text trains: plain reading comes first, questions with their answers after it (Algorithm 5). */
export type TextStage = 'pretraining' | 'instruction';

/** Something wrong with a text: an error leaves nothing to use, a warning leaves something out. */
export interface TextProblem {
  readonly severity: 'error' | 'warning';
  /** Stable name for programs, e.g. `row-without-text`. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** A row that is left out, and why: what follows on "Row 3". */
export interface BadRow {
  readonly row: number;
  readonly reason: string;
}

/** A first look at one text source. */
export interface TextFindings {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
  /** Documents, or paragraphs of a plain text that marks no ends. */
  readonly documents: number;
  /** Tokens in the whole file, 0 without a tokenizer. */
  readonly tokens: number;
  /** False where the tokens beyond the first ten million characters are told from the text's length. */
  readonly tokensExact: boolean;
  /** Rows that cannot be used: how many, and the first of them in their order. */
  readonly leftOut: number;
  readonly badRows: BadRow[];
  /** Names of the columns or fields of rows; none for texts without rows. */
  readonly columns: string[];
  /** Languages by their codes of ISO 639-3 and their shares (0 to 1), largest first; none where none is recognised. */
  readonly languages: { readonly code: string; readonly share: number }[];
  /** For people: `plain text`, `JSON lines, field "text"`, `token ids`. */
  readonly format: string;
  /** The stage of recovery that it is for, as far as its format tells. */
  readonly stage: TextStage;
  /** The first few documents, cut. */
  readonly samples: string[];
  readonly problems: TextProblem[];
}
