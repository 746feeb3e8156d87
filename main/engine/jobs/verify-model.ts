/** Checks a model on disk: it opens, computes ordinary numbers, and, against another, gives the same answers. */
import { Executor } from '../execution/executor';
import { computeViewLogits } from '../evaluation/view-logits';
import { ROUNDING_NOISE, areFinite, compareLogits, roundedView, type WeightTypes } from '../export/verify';
import { isBlockType, isGgufWrittenType, type GgufWrittenType } from '../formats/gguf/blocks';
import { openCheckpoint, type Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import { UnsupportedError } from '../support/errors';
import type { StoredType } from '../tensors/handle';
import { loadCheckpointTokenizer } from './checkpoint-tokenizer';
import { CHECK_TOKENS } from './export-model';

/**
 * Programs choose the scales of block types differently, with errors of about the same size. Where another one wrote a
 * file, its answers may be off in another direction than ours would be: by up to the sum of both.
 */
const OTHER_SCALES = 2;

/** Something in which a model is not as it should be. */
export interface Difference {
  /** `logits`, or the name of a size. */
  readonly what: string;
  readonly message: string;
  /** Null where it is not an ordinary number. */
  readonly found: number | null;
  readonly expected: number;
}

export interface Verification {
  readonly ok: boolean;
  readonly differences: readonly Difference[];
  /** Largest difference of the logits from the other model's; null where there was nothing to compare. */
  readonly maxLogitDifference: number | null;
  /** What rounding to the two files' element types explains. */
  readonly allowedDifference: number;
}

export interface VerifyOptions {
  readonly against?: string | undefined;
  /** Text to compute on; it is cut to the model's length. */
  readonly text: string;
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
}

/** Verifies the model at `path`. Throws what `openCheckpoint` throws when a model cannot be opened at all. */
export async function verifyModel(path: string, options: VerifyOptions): Promise<Verification> {
  const executor = await Executor.create({ threads: options.threads });
  const opened: Checkpoint[] = [];
  const open = async (place: string): Promise<Checkpoint> => {
    const checkpoint = await openCheckpoint(place);
    opened.push(checkpoint);
    return checkpoint;
  };
  try {
    const model = await open(path);
    const ids = await checkIds(model, options.text);
    const logits = await logitsOf(executor, model, ids, options.signal);
    if (!areFinite(logits)) return failed([notFinite(path)]);
    if (options.against === undefined) return { ok: true, differences: [], maxLogitDifference: null, allowedDifference: 0 };

    const other = await open(options.against);
    const sizes = sizeDifferences(model.config, other.config);
    if (sizes.length > 0) return failed(sizes);
    const expected = await logitsOf(executor, other, ids, options.signal);
    const { maxDifference } = compareLogits(expected, logits);
    // Either file may be the rounded one: what the coarser element type does to the finer weights is no fault.
    const explained = Math.max(
      compareLogits(expected, await roundedLogits(executor, other, model, ids, expected, options.signal)).maxDifference,
      compareLogits(logits, await roundedLogits(executor, model, other, ids, logits, options.signal)).maxDifference,
    );
    const allowedDifference = explained * (hasBlocks(model) || hasBlocks(other) ? OTHER_SCALES : 1) + ROUNDING_NOISE;
    const ok = maxDifference <= allowedDifference;
    const difference: Difference = {
      what: 'logits', found: maxDifference, expected: allowedDifference,
      message: `The answers of the two models differ by up to ${maxDifference.toPrecision(3)}; the number formats of their files account for ${allowedDifference.toPrecision(3)} at most.`,
    };
    return { ok, differences: ok ? [] : [difference], maxLogitDifference: maxDifference, allowedDifference };
  } finally {
    for (const checkpoint of opened) await checkpoint.close();
    await executor.dispose();
  }
}

/** The first ids of a text in a model's own vocabulary, as many as a check needs and the model allows. */
export async function checkIds(checkpoint: Checkpoint, text: string): Promise<number[]> {
  const tokenizer = await loadCheckpointTokenizer(checkpoint);
  const { vocabulary, maxPositions } = checkpoint.config;
  return tokenizer
    .encode(text)
    .filter((id) => id < vocabulary)
    .slice(0, Math.min(CHECK_TOKENS, maxPositions));
}

async function logitsOf(executor: Executor, checkpoint: Checkpoint, ids: readonly number[], signal: AbortSignal | undefined): Promise<Float32Array> {
  return computeViewLogits(executor, checkpoint, ids, signal);
}

async function roundedLogits(
  executor: Executor, checkpoint: Checkpoint, like: Checkpoint, ids: readonly number[], exact: Float32Array, signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const types = repeatableTypes(like);
  return types === null ? exact : computeViewLogits(executor, roundedView(checkpoint, types), ids, signal);
}

function hasBlocks({ storedTypes }: Checkpoint): boolean {
  return [...storedTypes.keys()].some((type) => isGgufWrittenType(type) && isBlockType(type));
}

/**
 * The types of a file's weights, to round another model to them; null where nothing would change.
 * @throws UnsupportedError for types that are read and not written: what they do to a model cannot be repeated.
 */
function repeatableTypes({ name, storedTypes, weightTypes }: Checkpoint): WeightTypes | null {
  const types = [...storedTypes.keys()];
  const unknown = types.filter((type) => type !== 'F64' && !isGgufWrittenType(type));
  if (unknown.length > 0) {
    throw new UnsupportedError(`${name} stores weights as ${unknown.join(', ')}. This program reads that but does not write it, so it cannot tell how far its answers may be from another model's.`, {
      hint: 'Leave --against out to check that the model opens and computes ordinary numbers.',
      details: { feature: 'element type', found: unknown },
    });
  }
  if (types.every((type) => type === 'F32' || type === 'F64')) return null;
  const written = (type: StoredType): GgufWrittenType => (isGgufWrittenType(type) ? type : 'F32');
  return { scalesLessOne: weightTypes.scalesLessOne, global: (role) => written(weightTypes.global(role)), layer: (layer, role) => written(weightTypes.layer(layer, role)) };
}

function sizeDifferences(found: ModelConfig, expected: ModelConfig): Difference[] {
  const differences: Difference[] = [];
  const compare = (what: string, one: number, other: number): void => {
    if (one !== other) differences.push({ what, found: one, expected: other, message: `The ${what} is ${one}, and ${other} in the other model.` });
  };
  compare('vocabulary', found.vocabulary, expected.vocabulary);
  compare('hidden width', found.hidden, expected.hidden);
  compare('number of layers', found.layers.length, expected.layers.length);
  for (const [index, layer] of found.layers.entries()) {
    const other = expected.layers[index];
    if (other === undefined) continue;
    compare(`number of heads of layer ${index + 1}`, layer.heads, other.heads);
    compare(`number of key/value heads of layer ${index + 1}`, layer.kvHeads, other.kvHeads);
    compare(`feed-forward width of layer ${index + 1}`, layer.ffn, other.ffn);
  }
  return differences;
}

function notFinite(path: string): Difference {
  return { what: 'logits', found: null, expected: 0, message: `${path} opens, but computes numbers that are infinite or not numbers: its weights are damaged.` };
}

function failed(differences: readonly Difference[]): Verification {
  return { ok: false, differences, maxLogitDifference: null, allowedDifference: 0 };
}
