/** Entry of the desktop program. */
import { app } from 'electron';
import { startApplication } from './app/lifecycle';

// Not awaited: Electron becomes ready only after this module has been run to its end.
startApplication().catch((error: unknown) => {
  console.error(error);
  app.exit(1);
});
