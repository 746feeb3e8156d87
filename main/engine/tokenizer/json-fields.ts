/** What the fields of a tokenizer.json may be, and how a field that is something else is reported. */
import * as v from 'valibot';
import { FormatError } from '../support/errors';

/** The largest known vocabularies have 262,144 tokens; ids are used as sizes of tables. */
export const MAX_ID = 2 ** 22 - 1;
const MAX_TOKEN_CHARACTERS = 65_536;

/** A token id. */
export const id = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(MAX_ID));
/** A token, or a text that stands for one. */
export const text = v.pipe(v.string(), v.maxLength(MAX_TOKEN_CHARACTERS));
/** A boolean with what it means when it is missing. */
export const flag = (otherwise: boolean) => v.nullish(v.boolean(), otherwise);

/** Parses a value. Raises FormatError naming the place in the file and the first thing that does not fit. */
export function parseAs<Schema extends v.GenericSchema>(schema: Schema, value: unknown, where: string): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new FormatError(`tokenizer.json does not follow its format at ${where}${path === null ? '' : `.${path}`}: ${issue.message}.`, {
    hint: 'The file may be damaged or cut off. Get the model again from where it came from.',
    details: { file: 'tokenizer.json', where },
  });
}
