/**
 * The alphabet of byte-level BPE: every byte stands as one printable character, so that vocabularies are plain text.
 * The mapping is that of GPT-2 (Radford et al. 2019): printable Latin-1 bytes stand for themselves, the 68 others
 * follow from U+0100 in order.
 */

const UTF8_ENCODER = new TextEncoder();

function isItself(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

/** The character of each byte, 256 entries. */
export const BYTE_CHARACTERS: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (isItself(byte)) return String.fromCharCode(byte);
  let before = 0;
  for (let other = 0; other < byte; other++) if (!isItself(other)) before++;
  return String.fromCharCode(0x100 + before);
});

const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);

/** UTF-8 bytes of a text. A lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  return UTF8_ENCODER.encode(text);
}

/** A text in the byte-level alphabet, one character per UTF-8 byte. */
export function toByteCharacters(text: string): string {
  let mapped = '';
  for (const byte of utf8Bytes(text)) mapped += BYTE_CHARACTERS[byte] ?? '';
  return mapped;
}

/**
 * Appends the bytes that a token stands for. A token with a character outside the alphabet is an added token in
 * plain text: its own UTF-8 bytes count.
 */
export function appendTokenBytes(token: string, bytes: number[]): void {
  const start = bytes.length;
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) {
      bytes.length = start;
      bytes.push(...utf8Bytes(token));
      return;
    }
    bytes.push(byte);
  }
}
