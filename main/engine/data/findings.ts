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

/** A first look at one text source. */
export interface TextFindings {
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
  /** Documents, or paragraphs of a plain text that marks no ends. */
  readonly documents: number;
  /** Tokens in the whole file, 0 without a tokenizer. */
  readonly tokens: number;
  /** For people: `plain text`, `JSON lines, field "text"`, `token ids`. */
  readonly format: string;
  /** The stage of recovery that it is for, as far as its format tells. */
  readonly stage: TextStage;
  /** The first few documents, cut. */
  readonly samples: string[];
  readonly problems: TextProblem[];
}
