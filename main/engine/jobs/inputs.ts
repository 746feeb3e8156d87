/** What a run reads: its model's files and its texts, remembered when it begins, so that it never goes on with others than those. */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import * as v from 'valibot';
import type { Recipe } from '../../../preload/contract/recipe';
import type { Checkpoint } from '../model/checkpoint';
import { NotFoundError, UsageError, toAppError } from '../support/errors';
import type { RunFolder } from './run-folder';
import type { Step } from './step';

const INPUTS_FILE = 'inputs.json';
const inputSchema = v.object({ path: v.string(), bytes: v.number(), modifiedMs: v.number(), ends: v.string() });
type Input = v.InferOutput<typeof inputSchema>;
const inputsSchema = v.object({ model: v.array(inputSchema), texts: v.array(inputSchema) });

/** Bytes at either end of a file that are looked at; all of a large model would take minutes. */
const END_BYTES = 1 << 20;
/** What programs that put a file back with its time leave out: fractions of a millisecond. */
const MTIME_TOLERANCE_MS = 1;

/** Remembers the files as they are now. */
export async function rememberInputs(folder: RunFolder, checkpoint: Pick<Checkpoint, 'weightFiles' | 'sideFiles'>, recipe: Recipe): Promise<void> {
  const [model, texts] = [[...checkpoint.weightFiles, ...checkpoint.sideFiles.values()], recipe.sources.map(({ path }) => path)];
  await folder.writeJson(INPUTS_FILE, { model: await Promise.all(model.map(look)), texts: await Promise.all(texts.map(look)) } satisfies v.InferOutput<typeof inputsSchema>);
}

/** The files that a run reads, as they were when it began; none for runs from before that was remembered. */
export async function inputsOf(folder: RunFolder): Promise<readonly Pick<Input, 'path' | 'bytes'>[]> {
  if (!folder.has(INPUTS_FILE)) return [];
  const { model, texts } = await folder.readJson(INPUTS_FILE, inputsSchema);
  return [...model, ...texts];
}

/** A step that works on the files with which its run began, and on no others: looked at before it and after. */
export function onSameInputs(step: Step): Step {
  return {
    ...step,
    async run(context, report) {
      await requireSameInputs(context.folder, step.stage === 'prepare');
      await step.run(context, report);
      await requireSameInputs(context.folder, step.stage === 'prepare');
    },
  };
}

/** Texts are read by the first stage alone. Runs that were begun before this was remembered are not held up. */
async function requireSameInputs(folder: RunFolder, withTexts: boolean): Promise<void> {
  if (!folder.has(INPUTS_FILE)) return;
  const { model, texts } = await folder.readJson(INPUTS_FILE, inputsSchema);
  const problems: string[] = [];
  for (const before of withTexts ? [...model, ...texts] : model) {
    const now = await look(before.path).catch((error: unknown) => {
      if (error instanceof NotFoundError) return null;
      throw error;
    });
    if (now === null) problems.push(`${before.path} is gone.`);
    else if (now.bytes !== before.bytes) problems.push(`${before.path} has ${now.bytes} bytes; it had ${before.bytes}.`);
    else if (Math.abs(now.modifiedMs - before.modifiedMs) > MTIME_TOLERANCE_MS || now.ends !== before.ends) problems.push(`${before.path} was changed.`);
  }
  if (problems.length === 0) return;
  throw new UsageError(`Files of this run are not what they were when it began. ${problems.join(' ')}`, {
    hint: 'Put them back as they were and continue the run, or start a new one.',
    details: { problems },
  });
}

/** Size, time of the last change, and a digest of both ends. */
async function look(path: string): Promise<Input> {
  try {
    const { size, mtimeMs } = await stat(path);
    const file = await open(path, 'r');
    try {
      const hash = createHash('sha256');
      const bytes = Buffer.alloc(Math.min(END_BYTES, size));
      for (const at of [0, size - bytes.length]) {
        const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
        hash.update(bytes.subarray(0, bytesRead));
      }
      return { path, bytes: size, modifiedMs: mtimeMs, ends: hash.digest('hex') };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw toAppError(error, path);
  }
}
