/**
 * Writing that ends with everything or nothing: data goes to a temporary name beside the target, is flushed to the
 * disk, and takes the final name only then. Free space is asked for before the first byte.
 */
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm, rmdir, stat, statfs, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AppError, ResourceError, UsageError, toAppError } from '../support/errors';

/** A file under a temporary name until `commit`. The caller calls `commit` or `discard`. */
export class WholeFile {
  readonly path: string;
  private readonly temporary: string;
  private readonly handle: FileHandle;
  private written = 0;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.temporary = temporary;
    this.handle = handle;
  }

  static async create(path: string): Promise<WholeFile> {
    const temporary = temporaryName(path);
    const handle = await open(temporary, 'wx').catch((error: unknown) => {
      throw writeError(error, path);
    });
    return new WholeFile(path, temporary, handle);
  }

  /** Bytes written so far. */
  get position(): number {
    return this.written;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.byteLength; ) {
        const length = Math.min(bytes.byteLength - done, WRITE_CHUNK_BYTES);
        const { bytesWritten } = await this.handle.write(bytes, done, length);
        done += bytesWritten;
      }
    } catch (error) {
      throw writeError(error, this.path);
    }
    this.written += bytes.byteLength;
  }

  /** As `write`, but blocking: for pieces that the system takes into its memory sooner than another thread would begin. */
  writeNow(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.byteLength; ) done += writeSync(this.handle.fd, bytes, done, bytes.byteLength - done);
    } catch (error) {
      throw writeError(error, this.path);
    }
    this.written += bytes.byteLength;
  }

  /** Flushes to the disk and gives the file its final name. */
  async commit(): Promise<void> {
    try {
      await this.handle.sync();
      await this.handle.close();
      await rename(this.temporary, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw writeError(error, this.path);
    }
  }

  /** Removes what was written. Does nothing after a successful commit. */
  async discard(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await rm(this.temporary, { force: true });
  }
}

const WRITE_CHUNK_BYTES = 8 * 1024 * 1024;

/** Runs `write` on a new file and commits it, or discards it when `write` throws. Answers the file's size. */
export async function writeWholeFile(path: string, write: (file: WholeFile) => Promise<void>): Promise<number> {
  const file = await WholeFile.create(path);
  try {
    await write(file);
    await file.commit();
    return file.position;
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/**
 * Runs `write` on a new empty folder beside `folder` and renames it to `folder` at the end; when `write` throws,
 * nothing is left. A target that exists and is not empty is refused unless `replace` is set.
 */
export async function writeWholeFolder(
  folder: string,
  replace: boolean,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = resolve(folder);
  await requireFreeTarget(target, replace);
  const temporary = temporaryName(target);
  try {
    await mkdir(temporary, { recursive: true });
    await write(temporary);
    await syncFolder(temporary);
    await moveIntoPlace(temporary, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw writeError(error, target);
  }
}

/** Throws UsageError if something that would be lost is at `target` and may not be replaced. */
export async function requireFreeTarget(target: string, replace: boolean): Promise<void> {
  if (replace) return;
  const status = await stat(target).catch(() => null);
  if (status === null) return;
  if (status.isDirectory() && (await readdir(target)).length === 0) return;
  throw new UsageError(`There is already something at ${target}.`, {
    hint: 'Choose another name, or remove what is there first.',
    details: { file: target },
  });
}

/** Throws what the system says if nothing can be made where `target` is to be, which need not exist yet: tried with an empty folder that goes at once. */
export async function requireWritable(target: string): Promise<void> {
  let folder = dirname(resolve(target));
  while ((await stat(folder).catch(() => null)) === null && dirname(folder) !== folder) folder = dirname(folder);
  try {
    await rmdir(await mkdtemp(join(folder, '.shear-')));
  } catch (error) {
    throw writeError(error, folder);
  }
}

/** Throws ResourceError('disk') if the volume of `target` (which need not exist yet) has less than `neededBytes` free. */
export async function requireDiskSpace(target: string, neededBytes: number): Promise<void> {
  const availableBytes = await freeDiskBytes(target);
  if (availableBytes >= neededBytes) return;
  throw new ResourceError(
    'disk',
    `There is not enough space on the disk of ${target}: ${neededBytes} bytes are needed and ${availableBytes} are free.`,
    {
      hint: 'Free some space, or choose a folder on another disk.',
      details: { file: target, neededBytes, availableBytes },
    },
  );
}

/** Bytes that this user can still write on the volume of `target` or of its nearest existing parent. */
export async function freeDiskBytes(target: string): Promise<number> {
  let folder = resolve(target);
  while ((await stat(folder).catch(() => null)) === null && dirname(folder) !== folder) folder = dirname(folder);
  const volume = await statfs(folder);
  return volume.bavail * volume.bsize;
}

/** Renaming over a folder that is not empty fails, so an old one steps aside first and comes back if the move fails. */
async function moveIntoPlace(temporary: string, target: string): Promise<void> {
  const old = temporaryName(target);
  const hadOld = await rename(target, old).then(
    () => true,
    () => false,
  );
  try {
    await rename(temporary, target);
  } catch (error) {
    if (hadOld) await rename(old, target);
    throw error;
  }
  if (hadOld) await rm(old, { recursive: true, force: true });
}

function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.partial`);
}

/** Makes a rename last through a power cut; not every system lets folders be opened, and then it does so itself. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null);
  if (handle === null) return;
  await handle.sync().catch(() => undefined);
  await handle.close();
}

/** System errors of writes name no path of their own; this adds the one the user knows. */
function writeError(error: unknown, path: string): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error) return toAppError(Object.assign(error, { path }));
  return toAppError(error);
}
