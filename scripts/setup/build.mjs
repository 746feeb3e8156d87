// Builds the program with electron-vite when its sources have changed since the last build, and puts the `shear`
// command where `npx shear` finds it.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, say, SetupError } from './say.mjs';

const SOURCES = ['main', 'preload', 'renderer', 'electron.vite.config.ts', 'svelte.config.js', 'package.json', 'package-lock.json', 'tsconfig.json'];
const stampPath = join(root, 'out', '.sources');

/** Builds into out/ unless it was made from the very same sources. */
export function buildIfChanged() {
  const hash = hashSources();
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === hash) return;
  say('building …');
  rmSync(stampPath, { force: true });
  const build = run(process.execPath, [join(root, 'node_modules', 'electron-vite', 'bin', 'electron-vite.js'), 'build'], { quiet: true });
  if (build.status !== 0) throw new SetupError(`The build failed:\n${build.output}`);
  writeFileSync(stampPath, hash);
}

/** Makes `npx shear` run this checkout's command line. */
export function linkCommand() {
  const target = join(root, 'out', 'main', 'cli.js');
  const folder = join(root, 'node_modules', '.bin');
  const link = join(folder, process.platform === 'win32' ? 'shear.cmd' : 'shear');
  if (existsSync(target)) chmodSync(target, 0o755);
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) return;
  mkdirSync(folder, { recursive: true });
  if (process.platform === 'win32') writeFileSync(link, '@node "%~dp0\\..\\..\\out\\main\\cli.js" %*\r\n');
  else symlinkSync(join('..', '..', 'out', 'main', 'cli.js'), link);
}

function hashSources() {
  const hash = createHash('sha256');
  const add = (relative) => {
    const path = join(root, relative);
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status === undefined) return;
    if (status.isDirectory()) {
      for (const name of readdirSync(path).sort()) add(join(relative, name));
    } else {
      hash.update(`${relative}\0${status.size}\0`).update(readFileSync(path));
    }
  };
  SOURCES.forEach(add);
  return hash.digest('hex');
}
