// Keeps node_modules equal to package-lock.json: `npm ci` runs only when they differ.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, say, SetupError } from './say.mjs';

/** Installs the packages of package-lock.json if any is missing or has another version. */
export function installDependencies() {
  const missing = firstDifference();
  if (missing === null) return;
  say(`installing the npm packages (${missing}); this takes about a minute …`);
  if (run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']).status !== 0) {
    throw new SetupError('`npm ci` failed; its message is above. Check the connection to the npm registry and run this again.');
  }
}

/** Compares npm's own record of what it installed with the lock file; null when they agree. */
function firstDifference() {
  const wanted = readLock(join(root, 'package-lock.json'));
  const installed = readLock(join(root, 'node_modules', '.package-lock.json'));
  if (installed === null) return 'none are here yet';
  for (const [path, entry] of Object.entries(wanted ?? {})) {
    // Optional packages are for other systems; npm leaves them out.
    if (path === '' || entry.optional) continue;
    if (installed[path]?.version !== entry.version || !existsSync(join(root, path))) return `${path} is missing or has changed`;
  }
  return null;
}

function readLock(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : null;
}
