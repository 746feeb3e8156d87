/** All commands, in the order of the help. */
import type { Command } from './command';
import { analyze } from './commands/analyze';
import { bench } from './commands/bench';
import { compress } from './commands/compress';
import { example } from './commands/example';
import { exportCommand } from './commands/export';
import { generateCommand } from './commands/generate';
import { inspect } from './commands/inspect';
import { perplexity } from './commands/perplexity';
import { runs } from './commands/runs';
import { tasks } from './commands/tasks';
import { verify } from './commands/verify';

export const commands: readonly Command[] = [example, inspect, compress, perplexity, tasks, analyze, generateCommand, exportCommand, verify, runs, bench];
