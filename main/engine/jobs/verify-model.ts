/** Checks a model on disk: it opens, computes ordinary numbers, and, against another, gives the same answers. */
import { computeViewLogits } from '../evaluation/view-logits';
import { Executor } from '../execution/executor';
import { ROUNDING_NOISE, areFinite, compareLogits } from '../export/verify';
import type { Checkpoint } from '../model/checkpoint';
import type { ModelConfig } from '../model/config';
import { listNames } from '../model/problems';
import { UnsupportedError } from '../support/errors';
import { loadCheckpointTokenizer } from './checkpoint-tokenizer';
import { CHECK_TOKENS } from './export-model';
import { openVerifiedModel, type ComparedSizes, type Computing, type VerifiedModel } from './verified-model';

/**
 * Programs choose the scales of block types differently, with errors of about the same size. Where another one wrote a
 * file, its answers may be off in another direction than ours would be: by up to the sum of both.
 */
const OTHER_SCALES = 2;
/**
 * Two files of one original are both rounded, and of the finer one nobody can tell how far: of float16 and bfloat16,
 * the nearest two types, its error is an eighth of the other's. Twice that, as largest differences scatter.
 */
const LOST_ORIGINAL = 1.25;

/** Something in which a model is not as it should be. */
export interface Difference {
  /** `logits`, `weights`, or the name of a size. */
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

/**
 * Verifies the model at `path`: a checkpoint, or an ONNX folder of this program's. Throws what `openVerifiedModel` throws
 * when a model cannot be opened at all, UnsupportedError where two number formats cannot be compared.
 */
export async function verifyModel(path: string, options: VerifyOptions): Promise<Verification> {
  const { threads, signal } = options;
  const computing: Computing = { executor: await Executor.create({ threads }), threads, signal };
  const opened: VerifiedModel[] = [];
  const open = async (place: string): Promise<VerifiedModel> => {
    const model = await openVerifiedModel(place);
    opened.push(model);
    return model;
  };
  try {
    const model = await open(path);
    const ids = firstIds(await model.encode(options.text), model.sizes.vocabulary, model.maxPositions);
    const logits = await model.logits(ids, computing);
    if (!areFinite(logits)) return failed([notFinite(path)]);
    if (options.against === undefined) return { ok: true, differences: [], maxLogitDifference: null, allowedDifference: 0 };

    const other = await open(options.against);
    const differences = sizeDifferences(model.sizes, other.sizes);
    if (differences.length > 0) return failed(differences);
    const config = sharedConfig(model, other);
    const lacking = config === null ? [] : [...model.lacking(config), ...other.lacking(config)];
    if (lacking.length > 0) return failed([otherWeights(lacking)]);
    const expected = await other.logits(ids, computing);
    const { maxDifference } = compareLogits(expected, logits);
    // Either file may be the rounded one: what the coarser element type does to the finer weights is no fault.
    const explained = config === null ? 0 : Math.max(
      await roundingDifference(other, model, config, { ids, exact: expected }, computing),
      await roundingDifference(model, other, config, { ids, exact: logits }, computing),
    );
    const allowedDifference = explained * (model.hasOtherScales || other.hasOtherScales ? OTHER_SCALES : LOST_ORIGINAL) + ROUNDING_NOISE;
    const ok = maxDifference <= allowedDifference;
    const difference: Difference = {
      what: 'logits', found: maxDifference, expected: allowedDifference,
      message: `The answers of the two models differ by up to ${maxDifference.toPrecision(3)}; the number formats of their files account for ${allowedDifference.toPrecision(3)} at most.`,
    };
    return { ok, differences: ok ? [] : [difference], maxLogitDifference: maxDifference, allowedDifference };
  } finally {
    for (const model of opened) await model.close();
    await computing.executor.dispose();
  }
}

/** The first ids of a text in a model's own vocabulary, as many as a check needs and the model allows. */
export async function checkIds(checkpoint: Checkpoint, text: string): Promise<number[]> {
  const tokenizer = await loadCheckpointTokenizer(checkpoint);
  const { vocabulary, maxPositions } = checkpoint.config;
  return firstIds(tokenizer.encode(text), vocabulary, maxPositions);
}

function firstIds(ids: readonly number[], vocabulary: number, maxPositions: number): number[] {
  return ids.filter((id) => id < vocabulary).slice(0, Math.min(CHECK_TOKENS, maxPositions));
}

/**
 * What both models are built from, as far as one of them says it; null where neither does and they are of one number
 * format, so that nothing has to be rounded.
 */
function sharedConfig(model: VerifiedModel, other: VerifiedModel): ModelConfig | null {
  const config = other.config ?? model.config;
  if (config !== null || model.format === other.format) return config;
  throw new UnsupportedError(`${model.name} is ${model.format} and ${other.name} is ${other.format}. Two ONNX models of different number formats cannot be compared: their files do not say enough to tell what the formats account for.`, {
    hint: 'Compare each of them with the model that it was made from: --against with its safetensors folder or GGUF file.',
    details: { feature: 'ONNX model', found: [model.format, other.format] },
  });
}

/** How far the logits of a model move when its weights are rounded as another's files hold them. */
async function roundingDifference(
  model: VerifiedModel, like: VerifiedModel, config: ModelConfig, { ids, exact }: { readonly ids: readonly number[]; readonly exact: Float32Array }, { executor, signal }: Computing,
): Promise<number> {
  const view = like.rounding(model.view(config));
  return view === null ? 0 : compareLogits(exact, await computeViewLogits(executor, view, ids, signal)).maxDifference;
}

function sizeDifferences(found: ComparedSizes, expected: ComparedSizes): Difference[] {
  const differences: Difference[] = [];
  const compare = (what: string, one: number, other: number): void => {
    if (one !== other) differences.push({ what, found: one, expected: other, message: `The ${what} is ${one}, and ${other} in the other model.` });
  };
  compare('vocabulary', found.vocabulary, expected.vocabulary);
  compare('hidden width', found.hidden, expected.hidden);
  compare('width of a head', found.headDim, expected.headDim);
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

function otherWeights(names: readonly string[]): Difference {
  return { what: 'weights', found: 0, expected: names.length, message: `The two models are built differently: only one of them has ${listNames(names)}.` };
}

function notFinite(path: string): Difference {
  return { what: 'logits', found: null, expected: 0, message: `${path} opens, but computes numbers that are infinite or not numbers: its weights are damaged.` };
}

function failed(differences: readonly Difference[]): Verification {
  return { ok: false, differences, maxLogitDifference: null, allowedDifference: 0 };
}
