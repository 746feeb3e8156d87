/**
 * The state of a stage in the run's folder, written from time to time so that a run that is killed loses no more than an
 * interval: one file with plain data, arrays and a checksum, which takes the place of the one before only when all of it is
 * on the disk. Where the stage's code changed what it keeps, or the file is damaged, the stage begins anew.
 */
import { createHash, type Hash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import * as v from 'valibot';
import type { Stage } from '../../../preload/contract/run';
import { writeWholeFile } from '../formats/whole-file';
import type { Checkpoint, Numbers, Phases, SavedState } from '../support/checkpoint';
import { AppError, FormatError, UsageError, toAppError } from '../support/errors';
import type { RunFolder } from './run-folder';
import type { SoftStop } from './soft-stop';

/** Environment variable with the seconds between two checkpoints of a run; 0 keeps every step. */
export const CHECKPOINT_VARIABLE = 'SHEAR_CHECKPOINT_SECONDS';
const DEFAULT_SECONDS = 120;

/** Milliseconds between checkpoints as the environment says, else two minutes. Throws UsageError where it is no number. */
export function checkpointIntervalMs(environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment[CHECKPOINT_VARIABLE] ?? '';
  const seconds = text.trim() === '' ? DEFAULT_SECONDS : Number(text);
  if (seconds >= 0 && Number.isFinite(seconds)) return seconds * 1000;
  throw new UsageError(`${CHECKPOINT_VARIABLE} needs a number of seconds, 0 or more; found "${text}".`, { details: { option: CHECKPOINT_VARIABLE, found: text } });
}

/** First bytes of a file. The last one changes with what any stage keeps: states of another version are not read. */
const MAGIC = 'SHEARCP1';
const CHECKSUM_BYTES = 32;
/** A header beyond this is damage. */
const MAX_HEADER_BYTES = 256 * 1024 * 1024;
const CHUNK_BYTES = 8 * 1024 * 1024;

const arraySchema = v.object({ type: v.picklist(['float32', 'float64']), length: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) });
const headerSchema = v.object({ phase: v.string(), data: v.unknown(), arrays: v.record(v.string(), v.array(arraySchema)) });

interface Kept extends SavedState {
  readonly phase: string;
}

export interface StageCheckpointOptions {
  readonly intervalMs: number;
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs?: () => number;
  /** Where it is asked for, the next state that is offered is kept whatever the interval, and then the stage stops. */
  readonly stop?: SoftStop;
}

/** The checkpoint of one stage, whose parts follow one another as phases: a state of one tells that those before are done. */
export class StageCheckpoint implements Phases {
  private lastMs: number;
  private readonly nowMs: () => number;

  private constructor(
    private readonly folder: RunFolder,
    private readonly path: string,
    private readonly options: StageCheckpointOptions,
    private kept: Kept | null,
    /** Whether a file was there that could not be used. */
    readonly wasDamaged: boolean,
  ) {
    this.nowMs = options.nowMs ?? (() => performance.now());
    this.lastMs = this.nowMs();
  }

  /** Reads what an earlier attempt kept, if it did. Throws what the system throws where the file cannot be read at all. */
  static async open(folder: RunFolder, stage: Stage, options: StageCheckpointOptions): Promise<StageCheckpoint> {
    const path = checkpointPath(folder, stage);
    try {
      return new StageCheckpoint(folder, path, options, await readState(path), false);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return new StageCheckpoint(folder, path, options, null, true);
    }
  }

  get savedPhase(): string | null {
    return this.kept?.phase ?? null;
  }

  phase(name: string, onWritten?: () => Promise<void>): Checkpoint {
    return {
      saved: this.kept?.phase === name ? this.kept : null,
      offer: async (take) => {
        const { stop, intervalMs } = this.options;
        const stops = stop?.wantsState() ?? false;
        if (!stops && this.nowMs() - this.lastMs < intervalMs) return;
        await this.keep(name, await take());
        await onWritten?.();
        if (stops) stop?.now();
      },
    };
  }

  async keep(phase: string, state: SavedState): Promise<void> {
    // What was read is not needed any more, and may be large.
    this.kept = null;
    // What is told of the work up to here will not be told again.
    await this.folder.syncEvents();
    await writeState(this.path, { ...state, phase });
    this.lastMs = this.nowMs();
  }
}

/** Removes what a stage kept: its output is complete. */
export async function removeCheckpoint(folder: RunFolder, stage: Stage): Promise<void> {
  await rm(checkpointPath(folder, stage), { force: true });
}

function checkpointPath(folder: RunFolder, stage: Stage): string {
  return folder.path(`${stage}.checkpoint`);
}

async function writeState(path: string, { phase, data, arrays }: Kept): Promise<void> {
  const listed = Object.fromEntries(Object.entries(arrays).map(([name, list]) => [name, list.map((values) => ({ type: typeOf(values), length: values.length }))]));
  const header = Buffer.from(JSON.stringify({ phase, data, arrays: listed } satisfies v.InferOutput<typeof headerSchema>));
  const start = Buffer.alloc(MAGIC.length + 4);
  start.write(MAGIC, 'latin1');
  start.writeUInt32LE(header.length, MAGIC.length);
  await writeWholeFile(path, async (file) => {
    const hash = createHash('sha256');
    const parts = [start, header, ...Object.values(arrays).flatMap((list) => list.map(bytesOf))];
    for (const part of parts) {
      for (let at = 0; at < part.byteLength; at += CHUNK_BYTES) {
        const piece = part.subarray(at, at + CHUNK_BYTES);
        hash.update(piece);
        await file.write(piece);
      }
    }
    await file.write(hash.digest());
  });
}

/** The state in a file; null if there is none. Throws FormatError where it is damaged or of another version. */
async function readState(path: string): Promise<Kept | null> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw toAppError(error, path);
  });
  if (file === null) return null;
  try {
    return await new StateReader(file, path, (await file.stat()).size).read();
  } catch (error) {
    throw error instanceof AppError ? error : toAppError(error, path);
  } finally {
    await file.close();
  }
}

class StateReader {
  private readonly hash: Hash = createHash('sha256');
  private at = 0;

  constructor(
    private readonly file: FileHandle,
    private readonly path: string,
    private readonly size: number,
  ) {}

  async read(): Promise<Kept> {
    const start = await this.take(MAGIC.length + 4);
    if (start.toString('latin1', 0, MAGIC.length) !== MAGIC) throw this.damaged('it does not begin as a state does');
    const length = start.readUInt32LE(MAGIC.length);
    if (length > MAX_HEADER_BYTES) throw this.damaged('its header is too long');
    const { phase, data, arrays } = this.parse(await this.take(length));
    const bytes = Object.values(arrays).flat().reduce((sum, { type, length: count }) => sum + count * (type === 'float32' ? 4 : 8), 0);
    if (this.at + bytes + CHECKSUM_BYTES !== this.size) throw this.damaged(`it has ${this.size} bytes where ${this.at + bytes + CHECKSUM_BYTES} were expected`);
    const read: Record<string, Numbers[]> = {};
    for (const [name, list] of Object.entries(arrays)) {
      read[name] = [];
      for (const { type, length: count } of list) {
        const values = type === 'float32' ? new Float32Array(count) : new Float64Array(count);
        await this.fill(bytesOf(values));
        read[name].push(values);
      }
    }
    const expected = this.hash.digest();
    const found = Buffer.alloc(CHECKSUM_BYTES);
    await this.file.read(found, 0, CHECKSUM_BYTES, this.at);
    if (!found.equals(expected)) throw this.damaged('its checksum does not fit');
    return { phase, data, arrays: read };
  }

  private parse(header: Buffer): v.InferOutput<typeof headerSchema> {
    try {
      return v.parse(headerSchema, JSON.parse(header.toString('utf8')));
    } catch {
      throw this.damaged('its header cannot be read');
    }
  }

  private async take(length: number): Promise<Buffer> {
    if (this.at + length > this.size) throw this.damaged('it is cut short');
    const bytes = Buffer.alloc(length);
    await this.fill(bytes);
    return bytes;
  }

  private async fill(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesRead } = await this.file.read(bytes, done, Math.min(CHUNK_BYTES, bytes.byteLength - done), this.at + done);
      if (bytesRead === 0) throw this.damaged('it is cut short');
      done += bytesRead;
    }
    this.at += bytes.byteLength;
    this.hash.update(bytes);
  }

  private damaged(problem: string): FormatError {
    return new FormatError(`${this.path} cannot be used: ${problem}.`, { details: { file: this.path, offset: this.at } });
  }
}

function typeOf(values: Numbers): 'float32' | 'float64' {
  return values instanceof Float32Array ? 'float32' : 'float64';
}

/** The bytes of an array in the machine's own order: a state stays where it was made. */
function bytesOf(values: Numbers): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
