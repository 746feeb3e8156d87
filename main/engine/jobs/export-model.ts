/**
 * One exported model from writing to verdict: the file is written, opened again from the disk as any program would, and
 * its logits compared with those of the weights it was written from. What does not pass is removed.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportTarget } from '../../../preload/contract/recipe';
import type { Exported } from '../../../preload/contract/run';
import { computeViewLogits } from '../evaluation/view-logits';
import type { Executor } from '../execution/executor';
import { writeGgufModel } from '../export/gguf-model';
import { ggufTypes, isQuantised } from '../export/gguf-types';
import { writeOnnxModel } from '../export/onnx-model';
import { roundedForOnnx } from '../export/onnx-types';
import { writeSafetensorsModel } from '../export/safetensors-model';
import { ROUNDING_NOISE, compareLogits, plainTypes, roundedView, sameChoices } from '../export/verify';
import type { WrittenModel } from '../export/written';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint';
import { huggingfaceFamilyFor } from '../model/families/index';
import type { ModelView } from '../model/view';
import { InternalError, VerificationError } from '../support/errors';
import type { OnProgress } from '../support/progress';
import { computeOnnxLogits } from './onnx-logits';

/** Ids on which files are compared: enough to exercise every weight, few enough to be quick. */
export const CHECK_TOKENS = 256;

export interface ExportRequest {
  /** The weights that the file is made from. They are read one at a time, several times. */
  readonly model: ModelView;
  /** Where the weights come from: tokenizer, licence files, and what else the configuration does not say. */
  readonly source: Checkpoint;
  readonly target: ExportTarget;
  /** A folder for safetensors and ONNX, a file for GGUF. It must not exist. */
  readonly path: string;
  /** Ids of real text for the comparison. */
  readonly checkIds: readonly number[];
  /** Threads for models that the runtime opens itself. */
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/**
 * Writes and verifies one model.
 * @throws VerificationError when the re-opened file gives other logits than rounding explains; nothing is left then.
 */
export async function exportModel(executor: Executor, request: ExportRequest): Promise<Exported> {
  const { model, target, path, checkIds, signal } = request;
  if (checkIds.length < 2) throw new InternalError('Too few ids to compare an exported model on.');
  // Three parts of equal length for a person who watches: writing, and two passes of comparing.
  const report = (part: number, share: number): void => request.onProgress?.({ done: part + share, total: 3 });
  const { files, notes } = await writeTarget(request, (share) => report(0, share));
  try {
    report(1, 0);
    const exact = await computeViewLogits(executor, model, checkIds, signal);
    const rounded = target.dtype === 'F32' ? exact : await roundedLogits(executor, request);
    report(2, 0);
    const found = await reopenedLogits(executor, path, request);
    const explained = compareLogits(exact, rounded).maxDifference;
    const stated = compareLogits(exact, found).maxDifference;
    const noise = compareLogits(rounded, found).maxDifference;
    if (!(noise <= ROUNDING_NOISE)) throw notTheSame(path, noise);
    report(3, 0);
    return {
      target, path,
      files: files.map((file) => ({ path: file.path, bytes: file.sizeBytes })),
      maxLogitDifference: stated,
      allowedDifference: explained + ROUNDING_NOISE,
      notes: [...notes, ...describeQuantised(request, exact, found)],
    };
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw error;
  }
}

/** Name of the place of a target among others: `model` or `model-bf16`, `onnx` or `onnx-int4` for folders, `NAME-f16.gguf` for files. */
export function targetPath(folder: string, name: string, target: ExportTarget, all: readonly ExportTarget[]): string {
  if (target.format === 'gguf') return join(folder, `${name}-${target.dtype.toLowerCase()}.gguf`);
  const alone = all.filter((other) => other.format === target.format).length === 1;
  const stem = target.format === 'onnx' ? 'onnx' : 'model';
  return join(folder, alone ? stem : `${stem}-${target.dtype.toLowerCase()}`);
}

async function writeTarget({ model, source, target, path, signal, onProgress }: ExportRequest, report: (share: number) => void): Promise<WrittenModel> {
  const progress: OnProgress | undefined = onProgress && (({ done, total }) => report(total === 0 ? 1 : done / total));
  const options = { signal, onProgress: progress };
  switch (target.format) {
    case 'safetensors':
      return writeSafetensorsModel(model, source, path, { ...options, dtype: target.dtype });
    case 'gguf':
      return writeGgufModel(model, source, path, { ...options, dtype: target.dtype });
    case 'onnx':
      return writeOnnxModel(model, source, path, { ...options, dtype: target.dtype });
  }
}

function roundedLogits(executor: Executor, { model, target, checkIds, signal }: ExportRequest): Promise<Float32Array> {
  if (target.format === 'onnx') return computeViewLogits(executor, roundedForOnnx(model, target.dtype), checkIds, signal);
  const types = target.format === 'gguf' ? ggufTypes(model.config, target.dtype) : plainTypes(target.dtype, target.dtype, huggingfaceFamilyFor(model.config)?.huggingface.names.scalesLessOne === true);
  return computeViewLogits(executor, roundedView(model, types), checkIds, signal);
}

/** What fewer bits did to the answers: the file is as it should be, but a model in few bits is another model. */
function describeQuantised({ model, target, checkIds }: ExportRequest, exact: Float32Array, found: Float32Array): string[] {
  const inBlocks = target.format === 'gguf' ? isQuantised(target.dtype) : target.dtype === 'INT4';
  if (!inBlocks) return [];
  const share = Math.round(sameChoices(exact, found, model.config.vocabulary) * 100);
  return [`Stored in ${target.dtype}, the model would write the same next word piece as before at ${share}% of ${checkIds.length} places of the text that it was checked on.`];
}

async function reopenedLogits(executor: Executor, path: string, { model, target, checkIds, threads, signal }: ExportRequest): Promise<Float32Array> {
  // No reader of ours: the runtime opens it as programs do, but for leaving the weights in their file.
  if (target.format === 'onnx') return computeOnnxLogits(path, model.config, checkIds, { threads, memory: 'spare', signal });
  const checkpoint = await openCheckpoint(path);
  try {
    return await computeViewLogits(executor, checkpoint, checkIds, signal);
  } finally {
    await checkpoint.close();
  }
}

function notTheSame(path: string, difference: number): VerificationError {
  return new VerificationError(
    `The model written to ${path} does not give the answers of the model it was written from: they differ by up to ${difference.toPrecision(3)}, where at most ${ROUNDING_NOISE} was expected.`,
    { hint: 'The file was removed. This is a fault of this program or of the disk: please try once more and report it.', details: { file: path, difference, allowed: ROUNDING_NOISE } },
  );
}
