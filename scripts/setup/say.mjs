// What the set-up scripts print and how they run other programs: one line a step, so that a person can follow.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's top folder. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A failure that the person can do something about: printed without a stack. */
export class SetupError extends Error {}

/** Prints one line on standard error, so that standard output stays free for results. */
export function say(text) {
  process.stderr.write(`shear: ${text}\n`);
}

/**
 * Runs a program in the checkout and returns { status, output }. With `quiet` its output is kept, otherwise it is shown.
 * Status 127 means that the program is not there.
 */
export function run(program, args, { quiet = false, cwd = root, env = process.env } = {}) {
  const result = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    // npm is a command script on Windows; only a shell can start those.
    shell: process.platform === 'win32' && program === 'npm',
  });
  if (result.error !== undefined) return { status: 127, output: result.error.message };
  return { status: result.status ?? 128, output: `${result.stdout ?? ''}${result.stderr ?? ''}` };
}

/** Whether a program of this name is on the PATH. */
export function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether a window can be shown: always, except on Linux without an X or Wayland display. */
export function hasDisplay() {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/** Runs a script's main function; a SetupError ends it with one clear message and exit status 1. */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
