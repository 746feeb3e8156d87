// Everything that has to be in place before the program or its tests can run. Each part looks first and does nothing
// when its work is done, so that a second run takes a moment.
import { buildIfChanged, linkCommand } from './build.mjs';
import { installSystemPackages } from './debian.mjs';
import { installDependencies } from './dependencies.mjs';
import { electronVersion, getElectron } from './electron.mjs';
import { say, SetupError } from './say.mjs';

/**
 * Sets everything up; returns the path of Electron's executable, or null where `needsWindow` is false and no window can
 * be had on this machine. Throws a SetupError that says what to do.
 */
export async function setUp({ needsWindow, forTests }) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 18)) {
    throw new SetupError(`Node.js ${process.versions.node} is too old: this program needs 20.18 or newer.`);
  }
  installDependencies();
  let electron = null;
  try {
    electron = await getElectron();
    installSystemPackages(electron, { forTests });
    say(`Electron ${electronVersion()} is in place`);
  } catch (error) {
    if (needsWindow || !(error instanceof SetupError)) throw error;
    say(`going on without a window: ${error.message}`);
    electron = null;
  }
  buildIfChanged();
  linkCommand();
  return electron;
}
