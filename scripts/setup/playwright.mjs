// Starts the end-to-end tests, under xvfb-run where there is no display.
import { join } from 'node:path';
import { hasDisplay, root, run } from './say.mjs';

/** Runs Playwright with these arguments and returns its exit status. */
export function playwright(args, env = process.env) {
  const command = [process.execPath, join(root, 'node_modules', '@playwright', 'test', 'cli.js'), 'test', ...args];
  // A fixed screen size keeps screenshots the same everywhere.
  const whole = hasDisplay() ? command : ['xvfb-run', '--auto-servernum', '--server-args=-screen 0 1440x1000x24', ...command];
  return run(whole[0], whole.slice(1), { env }).status;
}
