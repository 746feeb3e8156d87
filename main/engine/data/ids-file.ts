/** Reads files of token ids: JSON, one list of ids or a list of such lists (blocks in their order). */
import path from 'node:path';
import { describeJson } from '../support/describe-value';
import { TextError } from '../support/errors';
import { readUtf8File, withoutByteOrderMark, type ReadOptions } from './utf8-file';

/**
 * The blocks of an ids file; one list of ids is one block. Every id must be a whole number from 0 to `vocabulary` - 1.
 * Raises TextError naming the first place that does not fit.
 */
export async function readIdsFile(file: string, vocabulary: number, options: ReadOptions = {}): Promise<number[][]> {
  const name = path.basename(file);
  const fail = (message: string): TextError =>
    new TextError(`${name} ${message}.`, {
      hint: 'A file of token ids is JSON: [1, 2, 3] or [[1, 2], [3, 4]], made with this model\'s own tokenizer.',
      details: { file },
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse(withoutByteOrderMark(await readUtf8File(file, options)));
  } catch (error) {
    if (error instanceof SyntaxError) throw fail(`is not JSON: ${error.message}`);
    throw error;
  }
  if (!Array.isArray(parsed)) throw fail('does not hold a list of token ids');
  const items: readonly unknown[] = parsed;
  if (items.length === 0) throw fail('holds no token ids');
  const lists = Array.isArray(items[0]) ? items : [items];
  const isNested = lists === items;
  return lists.map((list, block) => {
    if (!Array.isArray(list)) throw fail(`holds something other than a list at block ${block + 1}`);
    const ids: readonly unknown[] = list;
    return ids.map((id, index) => {
      if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabulary) return id;
      const place = isNested ? `block ${block + 1}, place ${index + 1}` : `place ${index + 1}`;
      throw fail(`has ${describeJson(id)} at ${place}; token ids of this model are whole numbers from 0 to ${vocabulary - 1}`);
    });
  });
}
