/** A file's text as it is measured: raw, so that figures can be compared with those of other programs. */
import path from 'node:path';
import { documentText } from './rows';
import { readTextSource } from './text-source';
import { readUtf8File, type ReadOptions } from './utf8-file';

/**
 * The whole text of a file: plain texts exactly as they are, byte-order mark and line ends included; rows (.jsonl,
 * .json) joined by blank lines. Raises TextError for what is not UTF-8, for rows without text, and above 256 MiB.
 */
export async function readWholeText(file: string, options: ReadOptions = {}): Promise<string> {
  const ending = path.extname(file).toLowerCase();
  if (ending !== '.jsonl' && ending !== '.ndjson' && ending !== '.json') return readUtf8File(file, options);
  const texts: string[] = [];
  for await (const document of readTextSource(file, options)) texts.push(documentText(document, null));
  return texts.join('\n\n');
}
