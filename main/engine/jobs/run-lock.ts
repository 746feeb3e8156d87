/** Who is working on a run: a file with the process id, so that a run whose process died is told from one that is alive. */
import { readFileSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import * as v from 'valibot';
import { UsageError, toAppError } from '../support/errors';

/** A process, told apart from a later one that was given the same number. */
const holderSchema = v.object({ pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)), birth: v.string() });
type Holder = v.InferOutput<typeof holderSchema>;

/**
 * When a process was started, in the kernel's own ticks; empty where the system does not tell, null for one that has
 * ended, be it that its parent has not taken note of it yet (a zombie).
 */
function birthOf(pid: number): string | null {
  if (process.platform !== 'linux') return '';
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold spaces: count from the last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? '');
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM means that the process is there and belongs to someone else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const birth = birthOf(holder.pid);
  return birth !== null && (holder.birth === '' || birth === holder.birth);
}

async function readHolder(path: string): Promise<Holder | null> {
  try {
    const parsed = v.safeParse(holderSchema, JSON.parse(await readFile(path, 'utf8')));
    return parsed.success ? parsed.output : null;
  } catch {
    // Absent, or cut short by a power failure: nobody holds it.
    return null;
  }
}

/** Whether a living process holds the lock. */
export async function isLocked(path: string): Promise<boolean> {
  const holder = await readHolder(path);
  return holder !== null && isAlive(holder);
}

/** Takes the lock and returns the function that gives it back. Throws UsageError while a living process holds it. */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(path, 'wx');
      try {
        await file.writeFile(JSON.stringify({ pid: process.pid, birth: birthOf(process.pid) ?? '' } satisfies Holder));
      } catch (error) {
        // A full disk takes the name but not the content.
        await rm(path, { force: true });
        throw toAppError(error, path);
      } finally {
        await file.close();
      }
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await isLocked(path)) break;
    await rm(path, { force: true });
  }
  const holder = await readHolder(path);
  throw new UsageError('This run is already being worked on by another window or program.', {
    hint: 'Wait until it has finished, or stop it there.',
    details: { file: path, process: holder?.pid ?? 0 },
  });
}
