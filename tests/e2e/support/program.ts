/** Runs other programs from a test, to their end or until it is over. */
import { spawn, type ChildProcess } from 'node:child_process';

/** What a program ended with; `status` is null if a signal ended it. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Variables that are undefined are taken out of its environment. */
export function runProgram(program: string, argv: readonly string[], environment: Readonly<Record<string, string | undefined>> = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (status) => { resolve({ status, stdout, stderr }); });
  });
}

/** Asks a program to end and waits until it has. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => { resolve(); }));
  child.kill('SIGTERM');
  await gone;
}
