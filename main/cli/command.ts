/** What a command of the program is, and what it gets to work with. */
import type { ParseArgsConfig } from 'node:util';
import type { AppError } from '../engine/support/errors';
import type { OnProgress } from '../engine/support/progress';
import type { Arguments } from './arguments';
import type { Advance } from './terminal';

export interface OptionHelp {
  /** As shown in help: `--ratio R`. */
  readonly usage: string;
  readonly about: string;
}

export type OptionsConfig = NonNullable<ParseArgsConfig['options']>;

/** Everything that a command learns about its surroundings. */
export interface CommandContext {
  readonly runsFolder: string;
  readonly threads: number;
  /** The most memory that a run may use; infinite unless the user says. */
  readonly memoryLimitBytes: number;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  readonly signal: AbortSignal;
  /** Shows how far the work is. */
  readonly advance: (advance: Advance) => void;
  /** A progress callback for a piece of work with a name of its own. */
  readonly progress: (what: string) => OnProgress;
  /** A remark for people, on standard error; silent with --json. */
  readonly note: (text: string) => void;
}

/** What a command found: one JSON object for programs and the same in words for people. */
export interface Outcome {
  readonly json: object;
  readonly text: string;
  /** False when a check that was asked for did not pass. */
  readonly passed?: boolean;
  /** What kept a part of several things from being done, told already; the exit status is its. */
  readonly failure?: AppError | undefined;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the program's name. */
  readonly usage: readonly string[];
  readonly options: OptionsConfig;
  readonly help: readonly OptionHelp[];
  /** Sentences after the options. */
  readonly notes?: readonly string[];
  run(args: Arguments, context: CommandContext): Promise<Outcome>;
}
