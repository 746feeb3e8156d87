/**
 * A real disk of a few megabytes, to be full on: a tmpfs in a mount namespace of its own (`unshare`, in util-linux),
 * which this process reaches through /proc. Nothing is mounted outside the namespace, and no rights are needed but
 * those that user namespaces give to everyone.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, open, rm, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small disk; `close` takes it away with everything on it. */
export interface SmallDisk {
  /** The empty folder that is the whole disk, as this process reaches it. Links in it cannot be resolved. */
  readonly folder: string;
  /** The same folder as programs see it that are started with `enter` before their command. */
  readonly inside: string;
  readonly enter: readonly string[];
  freeBytes(): Promise<number>;
  /** Takes all space but about `leave` bytes (to a page of 4096). */
  fill(leave?: number): Promise<void>;
  /** Gives that space back. */
  free(): Promise<void>;
  close(): Promise<void>;
}

const FILLER = 'somebody-elses-file';

/** Makes a disk of `sizeBytes`. Throws with the reason where the system does not allow it. */
export async function makeSmallDisk(sizeBytes: number): Promise<SmallDisk> {
  const mountPoint = await mkdtemp(join(tmpdir(), 'shear-disk-'));
  // The shell lives until its input ends, which it does with this process at the latest.
  const script = 'mount -t tmpfs -o size="$1" tmpfs "$2" && echo ready && cat';
  const shell = spawn('unshare', ['--map-root-user', '--mount', 'sh', '-c', script, 'sh', String(sizeBytes), mountPoint]);
  const ended = new Promise<void>((resolve) => {
    shell.once('error', () => resolve());
    shell.once('exit', () => resolve());
  });
  let complaint = '';
  shell.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
  const isReady = await new Promise<boolean>((resolve) => {
    shell.stdout.once('data', () => resolve(true));
    shell.once('error', (error) => {
      complaint += error.message;
      resolve(false);
    });
    shell.once('exit', () => resolve(false));
  });
  if (!isReady || shell.pid === undefined) {
    await rmdir(mountPoint);
    throw new Error(
      `This test needs a small disk of its own, and the system does not let it make one: ${complaint.trim()}. ` +
      'It takes "unshare" and "mount" (package util-linux) and user namespaces, which root may allow with "sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0".',
    );
  }
  const folder = `/proc/${shell.pid}/root${mountPoint}`;
  const filler = join(folder, FILLER);
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  };
  return {
    folder,
    inside: mountPoint,
    enter: ['nsenter', `--target=${shell.pid}`, '--user', '--mount', '--preserve-credentials', '--'],
    freeBytes,
    fill: async (leave = 0) => {
      const file = await open(filler, 'w');
      try {
        const bytes = Math.max(0, (await freeBytes()) - leave);
        for (let done = 0; done < bytes; ) done += (await file.write(Buffer.alloc(Math.min(1 << 20, bytes - done)))).bytesWritten;
      } finally {
        await file.close();
      }
    },
    free: () => rm(filler, { force: true }),
    close: async () => {
      shell.stdin.end();
      await ended;
      await rmdir(mountPoint);
    },
  };
}
