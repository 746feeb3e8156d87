/** The 256 tokens `<0x00>` to `<0xFF>` that SentencePiece vocabularies have for characters without a token. */

/** The name of a byte token, e.g. `<0x0A>`. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

/** Ids of the byte tokens by byte; null unless all 256 are there, for half a character helps nobody. */
export function fallbackIds(vocabulary: ReadonlyMap<string, number>): readonly number[] | null {
  const ids: number[] = [];
  for (let byte = 0; byte < 256; byte++) {
    const id = vocabulary.get(byteToken(byte));
    if (id === undefined) return null;
    ids.push(id);
  }
  return ids;
}
