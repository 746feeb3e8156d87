/** Who is working on a run: a file with the process id, so that a run whose process died is told from one that is alive. */
import { randomBytes } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { copyFile, link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { UsageError, toAppError } from '../support/errors';

/** A process, told apart from a later one that was given the same number, and from itself another time (`nonce`). */
const holderSchema = v.object({ pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)), birth: v.string(), nonce: v.optional(v.string(), '') });
type Holder = v.InferOutput<typeof holderSchema>;
/** Nobody; or a file that tells nothing, as a power cut leaves it. */
type Found = Holder | 'nobody' | 'unreadable';

/** Where names cannot be linked, a file appears before its content: this often and long it is waited for. */
const READS = 4;
const READ_AGAIN_MS = 25;
/** Others can only be a step ahead so many times before one of them holds the lock. */
const ATTEMPTS = 20;

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

async function readHolder(path: string): Promise<Found> {
  for (let reads = 1; ; reads++) {
    try {
      const parsed = v.safeParse(holderSchema, JSON.parse(await readFile(path, 'utf8')));
      if (parsed.success) return parsed.output;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'nobody';
    }
    if (reads === READS) return 'unreadable';
    await wait(READ_AGAIN_MS);
  }
}

/** Whether a living process holds the lock. */
export async function isLocked(path: string): Promise<boolean> {
  const found = await readHolder(path);
  return typeof found === 'object' && isAlive(found);
}

/**
 * Takes the lock and returns the function that gives it back. Throws UsageError while a living process holds it, and what
 * the system throws where nothing can be written.
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const self: Holder = { pid: process.pid, birth: birthOf(process.pid) ?? '', nonce: randomBytes(8).toString('hex') };
  let outcome: Outcome = 'changed';
  for (let attempt = 0; attempt < ATTEMPTS && outcome === 'changed'; attempt++) outcome = await tryLock(path, self);
  if (outcome === 'taken') {
    return async () => {
      if (keyOf(await readHolder(path)) === keyOf(self)) await rm(path, { force: true });
    };
  }
  const found = await readHolder(path);
  throw new UsageError('This run is already being worked on by another window or program.', {
    hint: 'Wait until it has finished, or stop it there.',
    details: { file: path, process: typeof found === 'object' ? found.pid : 0 },
  });
}

type Outcome = 'taken' | 'held' | 'changed';

/**
 * Names of files are what several processes cannot give twice. The lock is given its name with its content; one whose holder
 * has died is replaced by nobody but the process that gave a claim on just that holder its name, or, if that one died too,
 * by the one with a claim on it, and so on.
 */
async function tryLock(path: string, self: Holder): Promise<Outcome> {
  const own = `${path}.${self.nonce}.tmp`;
  try {
    await writeFile(own, JSON.stringify(self));
    if (await giveName(own, path)) return 'taken';
    const holder = await readHolder(path);
    const claims: string[] = [];
    for (let dead = holder; ; ) {
      if (dead === 'nobody') return 'changed';
      if (dead !== 'unreadable' && isAlive(dead)) return 'held';
      const claim = `${path}.${keyOf(dead)}.claim.tmp`;
      claims.push(claim);
      if (await giveName(own, claim)) break;
      dead = await readHolder(claim);
    }
    // Whoever had a claim before may have replaced the lock already; as long as it is the same, only we may.
    const isSame = keyOf(await readHolder(path)) === keyOf(holder);
    if (isSame) await rename(own, path);
    for (const claim of isSame ? claims : claims.slice(-1)) await rm(claim, { force: true });
    return isSame ? 'taken' : 'changed';
  } catch (error) {
    throw toAppError(error, path);
  } finally {
    await rm(own, { force: true });
  }
}

/** Gives a file another name that must be free; false if it is not. */
async function giveName(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name).catch((error: unknown) => {
      // Some disks, such as USB sticks, know no second names.
      if (isCode(error, 'EEXIST') || isCode(error, 'ENOENT') || isCode(error, 'ENOSPC')) throw error;
      return copyFile(file, name, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    // Who takes the lock clears away what it finds of unfinished files: then somebody has it.
    if (isCode(error, 'EEXIST') || isCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function keyOf(found: Found): string {
  return typeof found === 'object' ? `${found.pid}-${found.birth}-${found.nonce}`.replace(/[^0-9A-Za-z-]/g, '_') : found;
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}
