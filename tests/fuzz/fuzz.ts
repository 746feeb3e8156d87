/** The loop: damaged input after damaged input, each of which must be read or refused, soon and without asking for much. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../main/engine/support/errors';
import { Random } from '../../main/engine/support/random';
import { watchAllocations } from './allocations';
import type { FuzzCase, FuzzTarget } from './target';

/** An input's size class: decoding takes a few times the bytes of a file (2-bit weights become 32-bit numbers), never more. */
export const SIZE_CLASS = 32;

export interface FuzzFinding {
  readonly index: number;
  readonly what: string;
}

export interface FuzzOutcome {
  readonly cases: number;
  /** Inputs that were read in spite of their damage. */
  readonly read: number;
  /** Largest single allocation, bytes. */
  readonly largestBytes: number;
  /** CPU milliseconds of the slowest case. */
  readonly slowestMs: number;
  readonly findings: readonly FuzzFinding[];
}

export interface FuzzOptions {
  readonly from?: number;
  readonly cases: number;
  /** Stops after this many findings. */
  readonly mostFindings?: number;
  /** Told before each case. */
  readonly onCase?: (index: number) => void;
}

/** Runs cases [from, from + cases) of a target; each depends on its number alone. */
export async function fuzz(target: FuzzTarget, { from = 0, cases, mostFindings = 10, onCase }: FuzzOptions): Promise<FuzzOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'shear-fuzz-'));
  try {
    const next = await target.prepare(folder);
    const findings: FuzzFinding[] = [];
    let [read, largestBytes, slowestMs, index] = [0, 0, 0, from];
    const watch = watchAllocations();
    try {
      for (; index < from + cases && findings.length < mostFindings; index++) {
        onCase?.(index);
        const made = next(Random.fromSeed(index));
        watch.takeLargest();
        const before = process.cpuUsage();
        const failure = await failureOf(made);
        const { user, system } = process.cpuUsage(before);
        const milliseconds = (user + system) / 1000;
        const largest = watch.takeLargest();
        if (failure === null) read++;
        else if (failure !== 'refused') findings.push({ index, what: failure });
        if (milliseconds > target.mostMs) findings.push({ index, what: `took ${Math.round(milliseconds)} ms of CPU; at most ${target.mostMs} are allowed` });
        const limit = target.fixedBytes + SIZE_CLASS * made.bytes;
        if (largest > limit) findings.push({ index, what: `asked for ${largest} bytes at once for an input of ${made.bytes}; at most ${limit} are allowed` });
        largestBytes = Math.max(largestBytes, largest);
        slowestMs = Math.max(slowestMs, milliseconds);
      }
    } finally {
      watch.end();
    }
    return { cases: index - from, read, largestBytes, slowestMs, findings };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Null for an input that was read, `refused` for one that was refused in words, else what went wrong. */
async function failureOf({ use }: FuzzCase): Promise<string | null> {
  try {
    await use();
    return null;
  } catch (error) {
    if (error instanceof AppError && error.code !== 'internal') return 'refused';
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}
