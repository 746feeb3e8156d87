/** Entry of the desktop program; the packaged one is the command line too, as there is no node beside it. */
import { app } from 'electron';
import { startApplication } from './app/lifecycle';
import { isCommandLine } from './cli/launch';

if (isCommandLine(process.argv)) {
  // Electron starts no window system and no other process before this module has been run to its end, which it never is.
  await import('./cli');
  // Electron's own process.exit does not look at process.exitCode.
  process.exit(process.exitCode ?? 0);
}

// Not awaited: Electron becomes ready only after this module has been run to its end.
startApplication().catch((error: unknown) => {
  console.error(error);
  app.exit(1);
});
