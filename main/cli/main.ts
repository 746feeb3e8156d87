/** The command line as a function of its arguments and surroundings: picks the command, runs it, writes its answer, returns the exit status. */
import { defaultThreads, memoryLimitBytes } from '../engine/jobs/machine';
import { PROGRAM_VERSION } from '../engine/jobs/about';
import { defaultRunsFolder } from '../engine/jobs/run-folder';
import { UsageError, toAppError, type AppError, type ErrorCode } from '../engine/support/errors';
import { Arguments } from './arguments';
import type { Command, CommandContext, Outcome } from './command';
import { commands } from './commands';
import { commandHelp, programHelp } from './help';
import { ProgressDisplay, type Output } from './terminal';

/** The world around the program, passed in so that tests can be that world. */
export interface Surroundings {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Raised when the user presses Ctrl-C. */
  readonly signal: AbortSignal;
}

const EXIT_STATUS: Readonly<Record<ErrorCode, number>> = {
  usage: 2, plan: 2,
  format: 3, shape: 3, unsupported: 3, 'not-found': 3, text: 3,
  memory: 4, disk: 4,
  verification: 5,
  cancelled: 130,
  session: 1, internal: 1,
};

/** Runs the program; never throws. Exit status: 0 done, 1 a fault of ours, 2 usage, 3 bad input, 4 no room, 5 check failed, 130 cancelled. */
export async function main(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const json = argv.includes('--json');
  const { stdout, stderr } = surroundings;
  const display = new ProgressDisplay(stderr);
  try {
    const outcome = await dispatch(argv, surroundings, display);
    display.clear();
    if (outcome === null) return 0;
    if (json) stdout.write(`${JSON.stringify(outcome.json)}\n`);
    else if (outcome.text !== '') stdout.write(`${outcome.text}\n`);
    if (outcome.failure !== undefined) return EXIT_STATUS[outcome.failure.code];
    return outcome.passed === false ? EXIT_STATUS.verification : 0;
  } catch (thrown) {
    display.clear();
    const error = toAppError(thrown);
    if (json) stdout.write(`${JSON.stringify(error.toData())}\n`);
    else stderr.write(errorText(error));
    return EXIT_STATUS[error.code];
  }
}

async function dispatch(argv: readonly string[], surroundings: Surroundings, display: ProgressDisplay): Promise<Outcome | null> {
  const { stdout } = surroundings;
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    stdout.write(programHelp(commands));
    return null;
  }
  if (name === '--version') return { json: { version: PROGRAM_VERSION }, text: PROGRAM_VERSION };
  const command = commands.find((one) => one.name === name);
  if (command === undefined) {
    throw new UsageError(`There is no command "${name}".`, { hint: `Commands: ${commands.map((one) => one.name).join(', ')}. Add --help to any of them.` });
  }
  return runCommand(command, rest, surroundings, display);
}

async function runCommand(command: Command, argv: readonly string[], surroundings: Surroundings, display: ProgressDisplay): Promise<Outcome | null> {
  const { stdout, stderr, cwd, environment, signal } = surroundings;
  const args = Arguments.parse(argv, command.options, cwd);
  if (args.flag('help')) {
    stdout.write(commandHelp(command));
    return null;
  }
  const context: CommandContext = {
    runsFolder: defaultRunsFolder(environment),
    threads: args.number('threads', { least: 1, most: 1024, whole: true }) ?? defaultThreads(),
    memoryLimitBytes: args.bytes('memory') ?? memoryLimitBytes(environment),
    cwd,
    signal,
    advance: (advance) => display.show(advance),
    progress: (what) => ({ done, total }) => display.show({ what, overall: total === 0 ? 0 : done / total, secondsLeft: null }),
    note: (text) => {
      if (args.flag('json')) return;
      display.clear();
      stderr.write(`${text}\n`);
    },
  };
  return command.run(args, context);
}

function errorText(error: AppError): string {
  if (error.code === 'cancelled') return 'Stopped.\n';
  const hint = error.hint === undefined ? '' : `${error.hint}\n`;
  const ours = EXIT_STATUS[error.code] === 1 ? `${error.stack ?? ''}\n` : '';
  return `${error.message}\n${hint}${ours}`;
}
