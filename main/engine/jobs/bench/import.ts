/**
 * Measures how a checkpoint goes in and out: inspecting, rewriting it as it is, in another element type and pruned,
 * each beside a plain copy of the same files, with the most memory that the process took.
 */
import { copyFile, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { writeSafetensorsModel } from '../../export/safetensors-model';
import { requireDiskSpace } from '../../formats/whole-file';
import { inspectCheckpoint, openCheckpoint, type Checkpoint } from '../../model/checkpoint';
import type { ModelView } from '../../model/view';
import type { PruningPlan } from '../../pruning/plan';
import { slicedView } from '../../pruning/sliced-view';
import { findUnitGroups } from '../../pruning/units';
import { UsageError } from '../../support/errors';
import { throwIfCancelled, type OnProgress } from '../../support/progress';
import type { WrittenType } from '../../tensors/elements';
import { peakMemoryBytes } from '../run';

export interface ImportBenchOptions {
  readonly model: string;
  readonly rounds: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** One kind of work. Speeds count the bytes of the source's weights, medians over the rounds. */
export interface ImportWork {
  readonly name: string;
  readonly bytesPerSecond: number;
  /** Divided by the speed of the plain copies. */
  readonly ofCopy: number;
  /** Most memory of the process until the end of this work. */
  readonly peakBytes: number;
}

export interface ImportBenchResult {
  readonly model: string;
  readonly bytes: number;
  readonly files: number;
  readonly inspectSeconds: number;
  readonly inspectPeakBytes: number;
  /** Plain copies, flushed to the disk as ours are. */
  readonly copyBytesPerSecond: number;
  readonly works: readonly ImportWork[];
}

/** Throws UsageError for a model that is no Hugging Face folder, ResourceError without room for one more copy of it. */
export async function runImportBench(options: ImportBenchOptions): Promise<ImportBenchResult> {
  const startedMs = performance.now();
  await inspectCheckpoint(options.model);
  const inspectSeconds = (performance.now() - startedMs) / 1000;
  const inspectPeakBytes = peakMemoryBytes();
  const source = await openCheckpoint(options.model);
  try {
    if (source.kind !== 'huggingface') throw new UsageError('"bench import" measures safetensors folders.', { details: { file: source.path } });
    await requireDiskSpace(tmpdir(), source.sizeBytes * 2.1);
    const folder = await mkdtemp(join(tmpdir(), 'shear-bench-'));
    try {
      return { ...(await measure(source, folder, options)), inspectSeconds, inspectPeakBytes };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } finally {
    await source.close();
  }
}

async function measure(source: Checkpoint, folder: string, { rounds, signal, onProgress }: ImportBenchOptions): Promise<Omit<ImportBenchResult, 'inspectSeconds' | 'inspectPeakBytes'>> {
  const stored = [...source.storedTypes.keys()][0];
  const same: WrittenType = stored === 'F32' || stored === 'BF16' ? stored : 'F16';
  const other: WrittenType = same === 'F16' ? 'BF16' : 'F16';
  const write = (view: ModelView, dtype: WrittenType) => (target: string) => writeSafetensorsModel(view, source, target, { dtype, signal });
  const kinds = [
    { name: `rewritten in ${same}`, work: write(source, same) },
    { name: `from ${same} to ${other}`, work: write(source, other) },
    { name: 'a quarter of each layer cut out', work: write(thinned(source), same) },
  ];
  const copies: number[] = [];
  const seconds = kinds.map((): number[] => []);
  const peaks: number[] = [];
  const total = rounds * (2 * kinds.length);
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [index, { work }] of kinds.entries()) {
      for (const [list, one] of [[copies, (target: string) => copyFiles(source.weightFiles, target)], [seconds[index] ?? [], work]] as const) {
        throwIfCancelled(signal);
        list.push(await timed(join(folder, 'one'), one));
        onProgress?.({ done: ++done, total });
      }
      peaks[index] = peakMemoryBytes();
    }
  }
  const copyBytesPerSecond = source.sizeBytes / median(copies);
  return {
    model: source.path, bytes: source.sizeBytes, files: source.weightFiles.length, copyBytesPerSecond,
    works: kinds.map(({ name }, index) => {
      const bytesPerSecond = source.sizeBytes / median(seconds[index] ?? []);
      return { name, bytesPerSecond, ofCopy: bytesPerSecond / copyBytesPerSecond, peakBytes: peaks[index] ?? 0 };
    }),
  };
}

/** Seconds of `work`, whose output is deleted again outside the measured time. */
async function timed(target: string, work: (target: string) => Promise<unknown>): Promise<number> {
  try {
    const startedMs = performance.now();
    await work(target);
    return (performance.now() - startedMs) / 1000;
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

async function copyFiles(files: readonly string[], folder: string): Promise<void> {
  await mkdir(folder);
  for (const file of files) {
    const target = join(folder, basename(file));
    await copyFile(file, target);
    const handle = await open(target, 'r+');
    await handle.sync().finally(() => handle.close());
  }
}

/** The view without every fourth head group and channel: none of what stays lies together in long runs. */
function thinned(view: ModelView): ModelView {
  const groups = findUnitGroups(view.config);
  const plan: PruningPlan = {
    groups: groups.map(({ layer, part, size }) => ({
      layer, part, size, scores: [], locked: false,
      kept: Array.from({ length: size }, (_, unit) => unit).filter((unit) => unit % 4 !== 3),
    })),
  };
  return slicedView(view, groups, plan);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
