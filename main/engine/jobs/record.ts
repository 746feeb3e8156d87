/** What a run was made with, for whoever wants to repeat or trust it: each program and machine that worked on it, and digests of its model's files and texts. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { arch, cpus, platform, release } from 'node:os';
import { pipeline } from 'node:stream/promises';
import * as v from 'valibot';
import { toAppError } from '../support/errors';
import { PROGRAM_VERSION } from './about';
import { inputsOf } from './inputs';
import type { RunFolder } from './run-folder';
import type { Step } from './step';

const RECORD_FILE = 'record.json';
const fileSchema = v.object({ path: v.string(), bytes: v.number(), sha256: v.string() });
const recordSchema = v.object({
  /** Each attempt at the run, in order. */
  attempts: v.array(v.object({ at: v.string(), shear: v.string(), node: v.string(), system: v.string(), processor: v.string(), threads: v.number() })),
  /** The files that it reads, whole; empty until the first stage has looked at them. */
  files: v.array(fileSchema),
});
/** What `record.json` holds. */
export type RunRecord = v.InferOutput<typeof recordSchema>;

/** What is known of a run so far. Throws FormatError where the file is damaged. */
export async function readRecord(folder: RunFolder): Promise<RunRecord> {
  return folder.has(RECORD_FILE) ? folder.readJson(RECORD_FILE, recordSchema) : { attempts: [], files: [] };
}

/** Notes that this program works on a run from now on. */
export async function recordAttempt(folder: RunFolder, threads: number): Promise<void> {
  const record = await readRecord(folder);
  const attempt = {
    at: new Date().toISOString(), shear: PROGRAM_VERSION, node: process.versions.node, system: `${platform()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model ?? '', threads,
  };
  await folder.writeJson(RECORD_FILE, { ...record, attempts: [...record.attempts, attempt] } satisfies RunRecord);
}

/** A first stage that also takes the digests of all files that the run reads: about a second for each gigabyte. */
export function recordingFiles(step: Step): Step {
  if (step.stage !== 'prepare') return step;
  return {
    ...step,
    async run(context, report) {
      await step.run(context, report);
      const files: RunRecord['files'] = [];
      for (const { path, bytes } of await inputsOf(context.folder)) files.push({ path, bytes, sha256: await digest(path, context.signal) });
      await context.folder.writeJson(RECORD_FILE, { ...(await readRecord(context.folder)), files } satisfies RunRecord);
    },
  };
}

async function digest(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal });
  } catch (error) {
    throw toAppError(error, path);
  }
  return hash.digest('hex');
}
