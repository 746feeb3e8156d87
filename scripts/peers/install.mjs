// Installs the programs that Shear is compared with into the user's cache, where tests/peers and `shear bench` find them.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run, say, SetupError } from '../setup/say.mjs';

const PYTHON_PACKAGES = ['torch==2.13.0', 'transformers==5.18.0', 'peft==0.21.2', 'safetensors', 'gguf', 'numpy', 'onnxruntime-genai==0.18.0'];
const LLAMA_CPP = ['node-llama-cpp@3.22.1', `@node-llama-cpp/${process.platform === 'darwin' ? 'mac' : 'linux'}-${process.arch}@3.22.1`];

function peersFolder() {
  const cache = process.env.XDG_CACHE_HOME;
  return join(cache !== undefined && cache !== '' ? cache : join(homedir(), '.cache'), 'shear', 'peers');
}

function step(text, program, args, cwd) {
  say(text);
  const { status, output } = run(program, args, { quiet: true, cwd });
  if (status !== 0) throw new SetupError(`${program} ${args.join(' ')} failed:\n${output}`);
}

/** Makes the environment if it is not there, and brings it up to the list if it was made from another one. */
function installPython(folder) {
  const python = join(folder, 'python', 'bin', 'python');
  const stamp = join(folder, 'python-packages.txt');
  const wanted = `${PYTHON_PACKAGES.join('\n')}\n`;
  if (existsSync(python) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  if (!existsSync(python)) step('making a Python environment …', 'python3', ['-m', 'venv', join(folder, 'python')], folder);
  step(`installing ${PYTHON_PACKAGES.join(', ')} …`, python, ['-m', 'pip', 'install', '-q', ...PYTHON_PACKAGES], folder);
  writeFileSync(stamp, wanted);
}

function installLlamaCpp(folder) {
  const target = join(folder, 'llama-cpp');
  if (existsSync(join(target, 'node_modules', 'node-llama-cpp'))) return;
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'package.json'), '{"private":true}\n');
  step('installing llama.cpp …', 'npm', ['install', '--ignore-scripts', '--omit=optional', ...LLAMA_CPP], target);
}

/** Installs whatever is missing; returns the folder. Throws SetupError with what a failed installer said. */
export function installPeers() {
  const folder = peersFolder();
  mkdirSync(folder, { recursive: true });
  installPython(folder);
  installLlamaCpp(folder);
  return folder;
}
