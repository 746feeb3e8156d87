/** Entry of the command line: connects the program to this process and its signals. */
import { argumentsOf } from './cli/launch';
import { main } from './cli/main';
import { PAUSE } from './engine/jobs/run';

const controller = new AbortController();

/** The first signal stops cleanly; a second one does not wait. */
function stop(reason: string): void {
  if (controller.signal.aborted) process.exit(130);
  controller.abort(reason);
}

process.on('SIGINT', () => stop('cancel'));
// A cluster or a shutting-down machine asks to leave: the run can be continued later.
process.on('SIGTERM', () => stop(PAUSE));
// A closed pipe (`shear runs | head`) is no reason to crash.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await main(argumentsOf(process.argv), {
  stdout: process.stdout,
  stderr: process.stderr,
  cwd: process.cwd(),
  environment: process.env,
  signal: controller.signal,
});
