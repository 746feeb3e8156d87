/**
 * `npm run peers [-- NAME …]`: installs the programs that Shear is compared with (PyTorch, transformers, llama.cpp) and a
 * real model into the user's cache, and runs the comparisons of tests/peers. Not part of `npm test`: it takes long.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { main, root, run, say, SetupError } from './setup/say.mjs';

const PYTHON_PACKAGES = ['torch==2.13.0', 'transformers==5.18.0', 'safetensors', 'gguf', 'numpy'];
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

function installPython(folder) {
  const python = join(folder, 'python', 'bin', 'python');
  if (existsSync(python)) return;
  step('making a Python environment …', 'python3', ['-m', 'venv', join(folder, 'python')], folder);
  step(`installing ${PYTHON_PACKAGES.join(', ')} …`, python, ['-m', 'pip', 'install', '-q', ...PYTHON_PACKAGES], folder);
}

function installLlamaCpp(folder) {
  const target = join(folder, 'llama-cpp');
  if (existsSync(join(target, 'node_modules', 'node-llama-cpp'))) return;
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'package.json'), '{"private":true}\n');
  step('installing llama.cpp …', 'npm', ['install', '--ignore-scripts', '--omit=optional', ...LLAMA_CPP], target);
}

await main(() => {
  const folder = peersFolder();
  mkdirSync(folder, { recursive: true });
  installPython(folder);
  installLlamaCpp(folder);
  const model = execFileSync(process.execPath, [join(root, 'scripts', 'install-real-model.mjs')], { encoding: 'utf8' }).trim().split('\n').at(-1);
  const names = process.argv.slice(2);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--config', 'vitest.peers.config.ts', ...names];
  return run(process.execPath, args, { env: { ...process.env, SHEAR_PEERS: folder, SHEAR_REAL_MODEL: model } }).status;
});
