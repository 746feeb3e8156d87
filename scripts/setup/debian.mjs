// Finds system libraries that Electron needs and this Linux lacks; installs them as root on Debian and its relatives,
// and otherwise says the exact command.
import { existsSync, readFileSync } from 'node:fs';
import { hasDisplay, isOnPath, run, say, SetupError } from './say.mjs';

/** What may be missing, and the Debian packages that bring it: newer releases renamed some, the first known one is taken. */
const PACKAGES = {
  'libgtk-3.so.0': ['libgtk-3-0t64', 'libgtk-3-0'],
  'libnss3.so': ['libnss3'],
  'libasound.so.2': ['libasound2t64', 'libasound2'],
  'libgbm.so.1': ['libgbm1'],
  'xvfb-run': ['xvfb'],
  xauth: ['xauth'],
  fonts: ['fonts-dejavu-core'],
};

/** Libraries that come along with those above (GTK's and NSS's own dependencies). */
const COME_ALONG = 'libgtk-3.so.0';

/** Makes sure that `executable` can start, and with `forTests` that a virtual display can. Does nothing off Linux. */
export function installSystemPackages(executable, { forTests }) {
  if (process.platform !== 'linux') return;
  const missing = findMissing(executable, forTests);
  if (missing.length === 0) return;
  if (!isDebian()) {
    throw new SetupError(`This system lacks ${missing.join(', ')}, which the window needs. Install them with its package manager and run this again.`);
  }
  if (process.getuid?.() !== 0) {
    const names = [...new Set(missing.map(packageFor))];
    throw new SetupError(
      `This system lacks ${missing.join(', ')}. Run this, then start again:\n  sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${names.join(' ')}`,
    );
  }
  say(`installing system packages for ${missing.join(', ')} …`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const update = run('apt-get', ['update', '--quiet'], { quiet: true, env });
  if (update.status !== 0) throw new SetupError(`apt-get update failed:\n${update.output}`);
  const names = [...new Set(missing.map(packageFor))];
  const install = run('apt-get', ['install', '--yes', '--quiet', '--no-install-recommends', ...names], { quiet: true, env });
  if (install.status !== 0) throw new SetupError(`apt-get install ${names.join(' ')} failed:\n${install.output}`);
  const still = findMissing(executable, forTests);
  if (still.length > 0) throw new SetupError(`The system packages are installed, but ${still.join(', ')} is still missing.`);
}

function findMissing(executable, forTests) {
  const missing = run('ldd', [executable], { quiet: true })
    .output.split('\n')
    .filter((line) => line.includes('=> not found'))
    .map((line) => line.trim().split(' ')[0]);
  if (!existsSync('/usr/share/fonts')) missing.push('fonts');
  if (forTests && !hasDisplay()) missing.push(...['xvfb-run', 'xauth'].filter((program) => !isOnPath(program)));
  return missing;
}

function packageFor(item) {
  const candidates = PACKAGES[item] ?? PACKAGES[COME_ALONG];
  return candidates.find((name) => run('apt-cache', ['show', '--no-all-versions', name], { quiet: true }).status === 0) ?? candidates.at(-1);
}

function isDebian() {
  if (!isOnPath('apt-get') || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}
