import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import { describe, expect, it } from 'vitest';
import { isLocked, takeLock } from '../../../main/engine/jobs/run-lock';
import { withTemporaryFolder } from '../../support/temporary-folder';

/** Locks that processes want at the same time. */
const LOCKS = 60;

const fieldsOf = (pid: number): string[] => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
};

describe('the lock of a run', () => {
  it('is held by this process until it is given back', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'lock.json');
      const release = await takeLock(path);
      expect(await isLocked(path)).toBe(true);
      await expect(takeLock(path)).rejects.toMatchObject({ code: 'usage' });
      await release();
      expect(await isLocked(path)).toBe(false);
    }));

  it('whose file tells nothing, or is of a process that has ended, is taken, and nothing is left beside it', () =>
    withTemporaryFolder(async (folder) => {
      const path = join(folder, 'lock.json');
      for (const content of ['', '{"pid":', JSON.stringify({ pid: 2 ** 22 + 1, birth: '1' })]) {
        await writeFile(path, content);
        const release = await takeLock(path);
        expect(await isLocked(path)).toBe(true);
        expect(await readdir(folder)).toEqual(['lock.json']);
        await release();
        expect(await readdir(folder)).toEqual([]);
      }
    }));

  it('goes to one of several processes that want it at the same time, whether it is free, of one that has ended, or a claim on it is', { timeout: 60_000 }, () =>
    withTemporaryFolder(async (folder) => {
      const built = join(import.meta.dirname, '..', '..', '..', 'test-results', `run-lock-${process.pid}`);
      await build({ configFile: false, logLevel: 'error', build: { ssr: join('main', 'engine', 'jobs', 'run-lock.ts'), outDir: built, target: 'node20.18', minify: false } });
      try {
        const dead = JSON.stringify({ pid: 2 ** 22 + 1, birth: '1', nonce: 'x' });
        for (let lock = 0; lock < LOCKS; lock++) {
          const path = join(folder, String(lock));
          if (lock % 3 !== 0) await writeFile(path, dead);
          if (lock % 3 === 2) await writeFile(`${path}.${2 ** 22 + 1}-1-x.claim.tmp`, JSON.stringify({ pid: 2 ** 22 + 2, birth: '1', nonce: 'y' }));
        }
        // Each goes through the locks, names those it got, and holds them until all are through.
        const script = `import { takeLock } from ${JSON.stringify(join(built, 'run-lock.js'))};
          process.stdin.once('data', async () => {
            for (let lock = 0; lock < ${LOCKS}; lock++) await takeLock(${JSON.stringify(folder)} + '/' + lock).then(() => console.log(lock), () => undefined);
            console.log('through');
          });
          console.log('ready');`;
        const children = [0, 1, 2].map(() => spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }));
        try {
          const said = children.map(() => '');
          children.forEach(({ stdout }, index) => stdout.setEncoding('utf8').on('data', (text: string) => (said[index] = `${said[index] ?? ''}${text}`)));
          const all = (word: string): Promise<void> => expect.poll(() => said.every((text) => text.includes(word)), { timeout: 30_000 }).toBe(true);
          await all('ready');
          for (const { stdin } of children) stdin.write('go');
          await all('through');
          const got = said.flatMap((text) => text.split('\n').filter((line) => /^\d+$/.test(line)).map(Number)).sort((one, other) => one - other);
          expect(got).toEqual(Array.from({ length: LOCKS }, (_, lock) => lock));
        } finally {
          for (const child of children) child.kill('SIGKILL');
        }
      } finally {
        await rm(built, { recursive: true, force: true });
      }
    }));

  it.runIf(process.platform === 'linux')('is not held by a process that has ended and that nobody has taken note of', () =>
    withTemporaryFolder(async (folder) => {
      // The inner sleep ends when its parent has become a sleep too, which never asks how its children ended.
      const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] });
      try {
        const pid = Number(String(await new Promise<Buffer>((resolve) => parent.stdout.once('data', resolve))));
        await expect.poll(() => fieldsOf(pid)[0], { timeout: 5000 }).toBe('Z');
        const path = join(folder, 'lock.json');
        await writeFile(path, JSON.stringify({ pid, birth: fieldsOf(pid)[19] }));
        expect(await isLocked(path)).toBe(false);
      } finally {
        parent.kill('SIGKILL');
      }
    }));
});
