import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLocked, takeLock } from '../../../main/engine/jobs/run-lock';
import { withTemporaryFolder } from '../../support/temporary-folder';

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
