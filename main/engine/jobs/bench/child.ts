/** One side of a comparison as a process of its own, asked by lines and answering by lines of JSON. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import * as v from 'valibot';
import { errorDataSchema } from '../../../../preload/contract/run';
import { InternalError } from '../../support/errors';
import { throwIfCancelled } from '../../support/progress';
import { parseJson } from '../json-files';
import type { BenchRequest } from './job';

/** How a side is started. */
export interface BenchProgram {
  /** What messages call it. */
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  readonly cwd?: string;
  /** What to do when it ends too early. */
  readonly hint?: string;
}

/** As much of a failed program's last words as helps. */
const MOST_LAST_WORDS = 2000;

export class BenchChild {
  private readonly lines: AsyncIterator<string, undefined>;
  private readonly ended: Promise<unknown>;
  private lastWords = '';
  private startFailure = '';

  private constructor(
    private readonly program: BenchProgram,
    private readonly child: ChildProcessByStdio<Writable, Readable, Readable>,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.ended = once(child, 'close').catch(() => undefined);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.lastWords = `${this.lastWords}${text}`.slice(-MOST_LAST_WORDS);
    });
    child.on('error', (error) => (this.startFailure = error.message));
    // A side that has ended is found out when its answer does not come.
    child.stdin.on('error', () => undefined);
  }

  /** Starts a side; it is killed when the signal is raised. */
  static start(program: BenchProgram, signal: AbortSignal | undefined): BenchChild {
    const [file, ...args] = program.command;
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(program.cwd !== undefined && { cwd: program.cwd }),
      ...(signal && { signal }),
    });
    return new BenchChild(program, child, signal);
  }

  /** Asks for something and reads the answer. Throws as `answer`. */
  async ask<Schema extends v.GenericSchema>(request: BenchRequest, schema: Schema): Promise<v.InferOutput<Schema>> {
    this.child.stdin.write(`${request}\n`);
    return this.answer(schema);
  }

  /** The next answer. Throws CancelledError, and InternalError with the side's last words when it ends or reports an error instead. */
  async answer<Schema extends v.GenericSchema>(schema: Schema): Promise<v.InferOutput<Schema>> {
    const { value, done } = await this.lines.next();
    throwIfCancelled(this.signal);
    if (done === true) {
      await this.ended;
      throw this.failure(this.startFailure || this.lastWords.trim() || `exit status ${this.child.exitCode}`);
    }
    const answer: unknown = parseJson(value, v.unknown(), `The answer of ${this.program.name}`);
    const error = v.safeParse(errorDataSchema, answer);
    if (error.success) throw this.failure(error.output.message);
    return parseJson(value, schema, `The answer of ${this.program.name}`);
  }

  /** Ends the side; waits until it is gone. */
  async close(): Promise<void> {
    this.child.stdin.end();
    this.child.kill();
    await this.ended;
  }

  private failure(why: string): InternalError {
    const { name, hint } = this.program;
    return new InternalError(`${name} ended before it answered: ${why}`, hint === undefined ? {} : { hint });
  }
}
