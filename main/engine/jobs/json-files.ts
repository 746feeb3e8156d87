/** Small files that must never be seen half-written: JSON and text, replaced in one step and checked when read. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { requireNesting } from '../formats/json';
import { syncFolder } from '../formats/whole-file';
import { FormatError, toAppError } from '../support/errors';

/** Writes a file under a temporary name, flushes it to the disk, then renames it: readers see the old or the new file, never half of one. */
async function writeFileAtomically(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw toAppError(error, path);
  }
}

/** Writes a value as indented JSON, atomically. */
export async function writeJsonFile(path: string, value: unknown): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Reads a JSON file into a checked value. Throws NotFoundError when it is absent, FormatError when it does not fit. */
export async function readJsonFile<Schema extends v.GenericSchema>(path: string, schema: Schema): Promise<v.InferOutput<Schema>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw toAppError(error);
  }
  return parseJson(text, schema, path);
}

/** Parses JSON text into a checked value; `origin` names where it came from in the message of a FormatError. */
export function parseJson<Schema extends v.GenericSchema>(text: string, schema: Schema, origin: string): v.InferOutput<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (error) {
    throw new FormatError(`${origin} is not valid JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
      details: { file: origin },
    });
  }
  requireNesting(value, origin);
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const problems = parsed.issues.map((issue) => `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`);
  throw new FormatError(`${origin} does not hold what was expected. ${problems.join('; ')}`, {
    details: { file: origin, problems },
  });
}
