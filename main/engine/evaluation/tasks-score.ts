/**
 * Scores multiple-choice items without examples: the log-probability of each choice after its context, no special
 * tokens. The candidates of all items are computed in batches of like lengths, and logits only where a choice is.
 */
import type { Executor } from '../execution/executor';
import type { ExecutableModel } from '../execution/loaded-model';
import { InternalError, TextError } from '../support/errors';
import { breathe, type OnProgress } from '../support/progress';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { Accuracy } from './tasks';
import type { Candidate, TaskItem } from './tasks-items';

/** Most positions of a batch, the filled-up ones included. */
const BATCH_TOKENS = 2048;
/** What stands after the end of shorter sequences; nothing before it sees it. */
const FILLER = 0;

/** A sequence of ids of which those from `from` on are predicted, 1 at least. */
export interface ScoredSequence {
  readonly ids: readonly number[];
  readonly from: number;
}

export interface ScoreOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

export interface TaskScore {
  /** Share of items that the accuracy which counts for the task finds right, 0 to 1. */
  readonly accuracy: number;
  /** sqrt(p (1 - p) / (n - 1)); null for a single item. */
  readonly standardError: number | null;
  readonly items: number;
  /** Both accuracies: by the sum of log-probabilities, and by that sum for each UTF-8 byte of the choice. */
  readonly bySum: number;
  readonly perByte: number;
  /** Candidates whose context was cut at its beginning because the model reads no more. */
  readonly shortened: number;
}

/** Scores the items of a task. Throws TextError for a choice that the model cannot read at once. */
export async function scoreTask(
  executor: Executor,
  { model, tokenizer }: { readonly model: ExecutableModel; readonly tokenizer: Tokenizer },
  items: readonly TaskItem[],
  accuracy: Accuracy,
  options: ScoreOptions = {},
): Promise<TaskScore> {
  const encoded = items.flatMap((item) => item.candidates.map((candidate) => encodeCandidate(tokenizer, candidate)));
  const sequences = encoded.map((sequence) => fitWindow(sequence, model.config.maxPositions));
  const sums = await scoreSequences(executor, model, sequences, options);
  const right: Record<Accuracy, number> = { sum: 0, perByte: 0 };
  let from = 0;
  for (const { candidates, gold } of items) {
    const own = sums.slice(from, from + candidates.length);
    from += candidates.length;
    const scaled = own.map((sum, at) => sum / Buffer.byteLength(candidates[at]?.choice ?? ''));
    if (firstLargest(own) === gold) right.sum++;
    if (firstLargest(scaled) === gold) right.perByte++;
  }
  const count = items.length;
  const share = right[accuracy] / count;
  return {
    accuracy: share,
    standardError: count < 2 ? null : Math.sqrt((share * (1 - share)) / (count - 1)),
    items: count,
    bySum: right.sum / count,
    perByte: right.perByte / count,
    shortened: sequences.filter((sequence, at) => sequence.ids.length < (encoded[at]?.ids.length ?? 0)).length,
  };
}

/** The ids of context and choice together, those after as many as the context alone has being the choice's. */
export function encodeCandidate(tokenizer: Pick<Tokenizer, 'encode'>, { context, choice }: Candidate): ScoredSequence {
  const ids = tokenizer.encode(`${context} ${choice}`);
  const contextLength = tokenizer.encode(context).length;
  // Where the context's last token swallows a choice whole, that token is its score: none would be the best of all.
  return { ids, from: Math.max(1, Math.min(contextLength, ids.length - 1)) };
}

/** The last `positions` ids, all of the choice among them. */
function fitWindow(sequence: ScoredSequence, positions: number): ScoredSequence {
  const surplus = sequence.ids.length - positions;
  if (surplus <= 0) return sequence;
  const from = sequence.from - surplus;
  if (from < 1) {
    throw new TextError(`A choice has ${sequence.ids.length - sequence.from} tokens; this model reads ${positions} at a time, the context included.`, {
      details: { tokens: sequence.ids.length - sequence.from, positions },
    });
  }
  return { ids: sequence.ids.slice(surplus), from };
}

/** Summed log-probability, in nats, of the predicted ids of each sequence, in float64. */
export async function scoreSequences(
  executor: Executor,
  model: ExecutableModel,
  sequences: readonly ScoredSequence[],
  { signal, onProgress }: ScoreOptions = {},
): Promise<number[]> {
  const sums = new Array<number>(sequences.length).fill(0);
  const total = sequences.reduce((sum, { ids }) => sum + ids.length, 0);
  let done = 0;
  for (const batch of batchesByLength(sequences)) {
    const part = batch.map((index) => sequenceAt(sequences, index));
    const length = Math.max(...part.map(({ ids }) => ids.length));
    const shape = { batch: part.length, length };
    const padded = Int32Array.from(part.flatMap(({ ids }) => [...ids, ...new Array<number>(length - ids.length).fill(FILLER)]));
    let hidden: Float32Array = executor.embed(model, padded, shape);
    for (let layer = 0; layer < model.config.layers.length; layer++) {
      hidden = await executor.forwardBlock(model, layer, hidden, shape);
      await breathe(signal);
    }
    const { rows, labels, owners } = predictedRows(part, length);
    const losses = await executor.tokenLosses(model, gatherRows(hidden, rows, model.config.hidden), labels, signal);
    owners.forEach((owner, at) => {
      const index = batch[owner] ?? 0;
      sums[index] = (sums[index] ?? 0) - (losses[at] ?? Number.NaN);
    });
    done += part.reduce((sum, { ids }) => sum + ids.length, 0);
    onProgress?.({ done, total });
  }
  return sums;
}

/** Indices of sequences in batches, the longest first, so that few positions are filled up. */
function batchesByLength(sequences: readonly ScoredSequence[]): number[][] {
  const order = [...sequences.keys()].sort((a, b) => sequenceAt(sequences, b).ids.length - sequenceAt(sequences, a).ids.length || a - b);
  const batches: number[][] = [];
  for (let at = 0; at < order.length; ) {
    const longest = sequenceAt(sequences, order[at] ?? 0).ids.length;
    const count = Math.max(1, Math.floor(BATCH_TOKENS / longest));
    batches.push(order.slice(at, at + count));
    at += count;
  }
  return batches;
}

/** Rows of hidden states that predict ids of choices, those ids, and whose they are. */
function predictedRows(part: readonly ScoredSequence[], length: number): { rows: number[]; labels: number[]; owners: number[] } {
  const [rows, labels, owners]: [number[], number[], number[]] = [[], [], []];
  part.forEach(({ ids, from }, owner) => {
    for (let at = from; at < ids.length; at++) {
      rows.push(owner * length + at - 1);
      labels.push(ids[at] ?? 0);
      owners.push(owner);
    }
  });
  return { rows, labels, owners };
}

function gatherRows(hidden: Float32Array, rows: readonly number[], width: number): Float32Array {
  const gathered = new Float32Array(rows.length * width);
  rows.forEach((row, at) => {
    gathered.set(hidden.subarray(row * width, (row + 1) * width), at * width);
  });
  return gathered;
}

function sequenceAt(sequences: readonly ScoredSequence[], index: number): ScoredSequence {
  const found = sequences[index];
  if (found === undefined) throw new InternalError(`There is no sequence ${index}.`);
  return found;
}

/** The first of the largest; a score that is not a number never wins. */
function firstLargest(scores: readonly number[]): number {
  let best = -1;
  scores.forEach((score, at) => {
    if (!Number.isNaN(score) && (best < 0 || score > (scores[best] ?? -Infinity))) best = at;
  });
  return best;
}
