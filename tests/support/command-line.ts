/** The command line as a program of its own, built from the sources as they are: for what only a real process can show. */
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';

const root = join(import.meta.dirname, '..', '..');

/** What a call ended with. `status` is null if a signal ended it. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  /** Command and arguments before node's own, as `SmallDisk.enter`. */
  readonly enter?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Sees every piece of progress and remark when it arrives. */
  readonly onError?: (text: string) => void;
}

/** A built command line. */
export interface CommandLine {
  /** The script that node is started on. */
  readonly script: string;
  run(argv: readonly string[], options?: StartOptions): Promise<Ended>;
  remove(): Promise<void>;
}

/** Builds it into a folder of its own inside the repository, from where packages and the example are found. */
export async function buildCommandLine(): Promise<CommandLine> {
  const folder = join(root, 'test-results', `command-line-${process.pid}`);
  await build({
    configFile: false, root, logLevel: 'warn',
    build: { ssr: join('main', 'cli.ts'), outDir: folder, target: 'node20.18', minify: false },
  });
  const script = join(folder, 'cli.js');
  return {
    script,
    run: (argv, { enter = [], environment = {}, onError } = {}) =>
      new Promise((resolve, reject) => {
        const [program = process.execPath, ...rest] = [...enter, process.execPath, script, ...argv];
        const child = spawn(program, rest, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
        let [stdout, stderr] = ['', ''];
        child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          stderr += text;
          onError?.(text);
        });
        child.once('error', reject);
        child.once('close', (status) => resolve({ status, stdout, stderr }));
      }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
