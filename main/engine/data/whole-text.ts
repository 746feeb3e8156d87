/** A file's text as it is measured: raw, so that figures can be compared with those of other programs. */
import { TextError } from '../support/errors';
import { rowFileFormat } from './row-files';
import { documentText, type ColumnChoice } from './rows';
import { openTextSource } from './text-source';
import { readUtf8File, type ReadOptions } from './utf8-file';

/** As much as a plain text may have. */
const MAX_CHARACTERS = 256 * 1024 * 1024;

/**
 * The whole text of a file: plain texts exactly as they are, byte-order mark and line ends included; the texts of rows
 * joined by blank lines. Raises TextError for what is not UTF-8, for rows without text, and above 256 MiB.
 */
export async function readWholeText(file: string, options: ReadOptions & { readonly columns?: ColumnChoice | undefined } = {}): Promise<string> {
  if (rowFileFormat(file) === null) return readUtf8File(file, options);
  const texts: string[] = [];
  let characters = 0;
  for await (const { document } of openTextSource(file, options).documents) {
    const text = documentText(document, null);
    characters += text.length;
    if (characters > MAX_CHARACTERS) {
      throw new TextError(`${file} holds more than ${MAX_CHARACTERS / 2 ** 20} Mi characters, the most that can be measured as one text.`, { hint: 'Use a part of it.', details: { file } });
    }
    texts.push(text);
  }
  return texts.join('\n\n');
}
