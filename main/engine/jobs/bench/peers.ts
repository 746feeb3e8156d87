/**
 * The programs that Shear is compared with: which work each does, and how it is started. They are no part of the
 * product: `npm run peers` installs them into the user's cache, their scripts are in tests/peers/bench of a checkout.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NotFoundError, UsageError } from '../../support/errors';
import type { BenchProgram } from './child';
import type { BenchWork } from './job';

/** Names as the command line takes them. */
export const BENCH_PEERS = ['pytorch', 'llama.cpp'] as const;
export type BenchPeer = (typeof BENCH_PEERS)[number];

/** Environment variable with the folder that the peers were installed in. */
export const PEERS_VARIABLE = 'SHEAR_PEERS';

interface PeerFacts {
  readonly title: string;
  readonly works: readonly BenchWork[];
  /** File type that it opens; always float32. */
  readonly format: 'safetensors' | 'gguf';
  readonly script: string;
  /** What must be there, below the peers' folder. */
  readonly installed: readonly string[];
  readonly command: (folder: string, script: string, job: string) => Pick<BenchProgram, 'command' | 'cwd'>;
}

/** All about each peer. */
export const peerFacts: Readonly<Record<BenchPeer, PeerFacts>> = {
  pytorch: {
    title: 'PyTorch',
    works: ['step', 'forward'],
    format: 'safetensors',
    script: 'pytorch.py',
    installed: process.platform === 'win32' ? ['python', 'Scripts', 'python.exe'] : ['python', 'bin', 'python'],
    command: (folder, script, job) => ({ command: [join(folder, ...peerFacts.pytorch.installed), script, job] }),
  },
  'llama.cpp': {
    title: 'llama.cpp',
    works: ['generate'],
    format: 'gguf',
    script: 'llama-cpp.mjs',
    installed: ['llama-cpp', 'node_modules', 'node-llama-cpp'],
    command: (folder, script, job) => ({ command: [process.execPath, script, job], cwd: join(folder, 'llama-cpp') }),
  },
};

const INSTALL_HINT = 'Run `npm run peers -- install` in a checkout of the repository: it installs PyTorch and llama.cpp into your cache folder.';

/** The user's cache folder of this program, where scripts put peers and real models. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const cache = environment['XDG_CACHE_HOME'];
  return join(cache !== undefined && cache !== '' ? cache : join(homedir(), '.cache'), 'shear');
}

/** Throws UsageError when a peer does not do this work. */
export function requirePeerWork(peer: BenchPeer, work: BenchWork): void {
  if (peerFacts[peer].works.includes(work)) return;
  const able = BENCH_PEERS.filter((other) => peerFacts[other].works.includes(work));
  throw new UsageError(`"bench ${work}" is compared with ${able.join(' or ')}, not with ${peer}.`);
}

/** How to start a peer on a job file. Throws NotFoundError when it is not installed, or when this is no checkout. */
export function peerProgram(peer: BenchPeer, job: string, environment: Readonly<Record<string, string | undefined>> = process.env): BenchProgram {
  const { title, installed, script, command } = peerFacts[peer];
  const folder = environment[PEERS_VARIABLE] ?? join(cacheFolder(environment), 'peers');
  const needed = join(folder, ...installed);
  if (!existsSync(needed)) {
    throw new NotFoundError(`${title} is not installed for comparisons: there is no ${needed}.`, { hint: INSTALL_HINT, details: { file: needed } });
  }
  return { name: title, hint: INSTALL_HINT, ...command(folder, scriptPath(script), job) };
}

function scriptPath(name: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'tests', 'peers', 'bench', name);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) {
      throw new NotFoundError(`The script ${name} is missing: comparisons with other programs work in a checkout of the repository only.`, { hint: INSTALL_HINT });
    }
  }
}
