/**
 * How long work is kept so that it can go on after a kill: each loop can give its state as plain data and arrays, and take
 * it up again. Where and when states are written is decided by whoever passes a `Checkpoint` in.
 */
import * as v from 'valibot';
import { FormatError } from './errors';

/** Numbers of a state that are too many for JSON, or must come back with every bit. */
export type Numbers = Float32Array | Float64Array;

/** The state of some work between two of its steps. */
export interface SavedState {
  /** What JSON can hold. */
  readonly data: unknown;
  /** By name. They may be the arrays that the work goes on with: they are written before it does. */
  readonly arrays: Readonly<Record<string, readonly Numbers[]>>;
}

/** Where a loop keeps its state from time to time. */
export interface Checkpoint {
  /** What an earlier attempt at the same work kept last; null if there was none. */
  readonly saved: SavedState | null;
  /** To be awaited between steps: takes and writes the state where it is time for that, and does nothing else. */
  offer(take: () => SavedState | Promise<SavedState>): Promise<void>;
}

/** For work that nobody wants to continue. */
export const NO_CHECKPOINT: Checkpoint = { saved: null, offer: () => Promise.resolve() };

/** Where work that has parts of different kinds, one after another, keeps its state. */
export interface Phases {
  /** The part that an earlier attempt had come to, so that those before it are done; null if it kept nothing. */
  readonly savedPhase: string | null;
  /** The checkpoint of one part; `onWritten` is waited for after each state that was kept there. */
  phase(name: string, onWritten?: () => Promise<void>): Checkpoint;
  /** Keeps a state at once. */
  keep(phase: string, state: SavedState): Promise<void>;
}

/** As `NO_CHECKPOINT`. */
export const NO_PHASES: Phases = { savedPhase: null, phase: () => NO_CHECKPOINT, keep: () => Promise.resolve() };

/** The plain data of a state. Throws FormatError if it is not what the work kept. */
export function savedData<Schema extends v.GenericSchema>({ data }: SavedState, schema: Schema): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, data);
  if (parsed.success) return parsed.output;
  throw unfit(parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`).join('; '));
}

/** Overwrites arrays in place with those of a state. Throws FormatError if number or lengths differ. */
export function restoreArrays({ arrays }: SavedState, name: string, targets: readonly Numbers[]): void {
  const found = arrays[name] ?? [];
  if (found.length !== targets.length) throw unfit(`${name} has ${found.length} arrays where ${targets.length} were expected`);
  targets.forEach((target, index) => {
    const values = found[index];
    if (values?.length !== target.length) throw unfit(`array ${index} of ${name} has ${values?.length ?? 0} numbers where ${target.length} were expected`);
    target.set(values);
  });
}

/** Something with a state of its own that JSON can hold. */
export interface Stateful<State> {
  saveState(): State;
  restoreState(state: State): void;
}

/** A checkpoint that also keeps the state of something the work draws on; restores it at once. */
export function keepingAlso<Schema extends v.GenericSchema>(checkpoint: Checkpoint, schema: Schema, part: Stateful<v.InferOutput<Schema>>): Checkpoint {
  const { saved } = checkpoint;
  let inner: SavedState | null = null;
  if (saved !== null) {
    const { work, beside } = savedData(saved, v.object({ work: v.unknown(), beside: v.unknown() }));
    part.restoreState(savedData({ data: beside, arrays: {} }, schema));
    inner = { data: work, arrays: saved.arrays };
  }
  return {
    saved: inner,
    offer: (take) =>
      checkpoint.offer(async () => {
        const { data, arrays } = await take();
        return { data: { work: data, beside: part.saveState() }, arrays };
      }),
  };
}

function unfit(problem: string): FormatError {
  return new FormatError(`What was kept of this work does not fit it: ${problem}.`, { hint: 'Start a new run with the same recipe.' });
}
