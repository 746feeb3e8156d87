/** What this machine has to give right now: memory that a new allocation can get (or may, by the user's word), and free space on a volume. */
import { readFileSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from '../support/errors';

/** Environment variable with the most memory that the program may use: bytes, or a number with a unit such as 4GB. */
export const MEMORY_LIMIT_VARIABLE = 'SHEAR_MEMORY_LIMIT';

/** Bytes that can still be allocated: the system's own figure, a container's limit and the user's (`limitBytes`), whichever is least. */
export function availableMemoryBytes(limitBytes = memoryLimitBytes(process.env)): number {
  return Math.min(systemMemoryBytes(), groupMemoryBytes(), limitBytes);
}

/** Bytes that this process may hold in all: what it holds now and what it can still get, within the user's limit. */
export function reachableMemoryBytes(limitBytes = memoryLimitBytes(process.env)): number {
  return Math.min(availableMemoryBytes(Number.POSITIVE_INFINITY) + process.memoryUsage().rss, limitBytes);
}

/** The most memory that the user allows by `SHEAR_MEMORY_LIMIT`; infinite unless it is set. Throws UsageError where it is no size. */
export function memoryLimitBytes(environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment[MEMORY_LIMIT_VARIABLE];
  return text === undefined || text.trim() === '' ? Number.POSITIVE_INFINITY : parseBytes(MEMORY_LIMIT_VARIABLE, text);
}

const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30, TIB: 2 ** 40 };

/** Bytes from `4000000000`, `4GB`, `1.5 GiB`; `name` is what the message of the UsageError calls it. */
export function parseBytes(name: string, text: string): number {
  const [, number = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = UNITS[unit.toUpperCase()];
  const bytes = number === '' || factor === undefined ? Number.NaN : Math.floor(Number(number) * factor);
  if (!(bytes > 0 && Number.isSafeInteger(bytes))) {
    throw new UsageError(`${name} needs a size such as 4GB, 500MB or a number of bytes; found "${text}".`, { details: { option: name, found: text } });
  }
  return bytes;
}

/** What this machine can compute on, and in words why not on the rest. Starts graphics drivers: about a second. */
export { listDevices as computingDevices, type Device } from '../runtime/devices';

/** Threads that a computation should use when nobody says otherwise. */
export function defaultThreads(): number {
  return Math.max(1, availableParallelism());
}

function systemMemoryBytes(): number {
  // freemem() counts the file cache as used; the kernel's estimate does not.
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readText('/proc/meminfo'))?.[1];
  return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024;
}

/** What the control groups around this process (version 2, else 1) leave it; infinite without a limit. */
function groupMemoryBytes(): number {
  let least = Number.POSITIVE_INFINITY;
  for (const line of readText('/proc/self/cgroup').split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const old = controllers.split(',').includes('memory');
    if (controllers !== '' && !old) continue;
    const root = old ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup';
    const names = old ? ['memory.limit_in_bytes', 'memory.usage_in_bytes'] : ['memory.max', 'memory.current'];
    // A limit of any ancestor binds as well; inside a container the path may point outside what is mounted.
    for (let group = path; ; group = dirname(group)) {
      const [limit, usage] = names.map((name) => Number(readText(join(root, group, name)) || Number.NaN));
      if (limit !== undefined && usage !== undefined && Number.isFinite(limit) && Number.isFinite(usage)) {
        const cache = Number(/^inactive_file (\d+)$/m.exec(readText(join(root, group, 'memory.stat')))?.[1] ?? 0);
        least = Math.min(least, Math.max(0, limit - usage + cache));
      }
      if (group === '/' || group === '.' || group === '') break;
    }
  }
  return least;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A volume that a path lies on, or would lie on once made. */
export interface Volume {
  /** Equal for paths on the same volume. */
  readonly id: number;
  readonly freeBytes: number;
}

/** The volume of a path that need not exist yet. Throws the system's error when not even a parent can be read. */
export async function volumeOf(path: string): Promise<Volume> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    try {
      const [{ dev }, space] = await Promise.all([stat(folder), statfs(folder)]);
      return { id: dev, freeBytes: space.bavail * space.bsize };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || folder === dirname(folder)) throw error;
    }
  }
}
