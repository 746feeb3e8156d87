/**
 * SentencePiece's precompiled table of characters (`precompiled_charsmap`): which sequences of characters are
 * replaced by which before a text is tokenized. The table is a double-array trie (Yata et al. 2007; the units are
 * those of Darts-clone) over UTF-8 bytes, followed by the replacements, each ended by a zero byte.
 */
import { FormatError } from '../support/errors';
import { utf8Bytes } from './byte-level';
import type { CharsmapMatching } from './spec';

/** The largest known table (NMT's NFKC) has 300 KB. */
const MAX_CHARSMAP_BYTES = 16 * 1024 * 1024;
/** Hugging Face's tokenizers look up longer characters (families of emoji, stacked accents) part by part. */
const MAX_WHOLE_CHARACTER_BYTES = 5;
/** What may hold a character of several code points; everything else is one character a code point. */
const COMPOSED = /\r\n|[ -~]?[^\0-\x7f]+(?:[ -~][^\0-\x7f]+)*[ -~]?/gu;

interface Match {
  readonly lengthBytes: number;
  /** Where the replacement starts. */
  readonly value: number;
}

/** A table of characters, checked. */
export class Charsmap {
  private readonly units: Uint32Array;
  private readonly replacements: Uint8Array;
  private readonly texts = new Map<number, string>();

  /** Raises FormatError for a table that cannot be one. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const trieBytes = bytes.length < 8 ? 0 : view.getUint32(0, true);
    if (bytes.length > MAX_CHARSMAP_BYTES || trieBytes < 4 || trieBytes % 4 !== 0 || trieBytes + 4 >= bytes.length) {
      throw damaged(`it has ${bytes.length} bytes and says that ${trieBytes} of them are its index`);
    }
    this.units = Uint32Array.from({ length: trieBytes / 4 }, (_, index) => view.getUint32(4 + 4 * index, true));
    this.replacements = bytes.subarray(4 + trieBytes);
  }

  /** A text with every sequence of the table replaced. `kept` are texts that stay as they are (`longest` alone). */
  normalize(text: string, matching: CharsmapMatching, kept: RegExp | null): string {
    return matching === 'longest' ? this.replaceLongest(text, kept) : this.replaceCharacters(text);
  }

  private replaceLongest(text: string, kept: RegExp | null): string {
    if (kept === null) return this.replaceBytes(utf8Bytes(text));
    let normalized = '';
    let end = 0;
    for (const match of text.matchAll(kept)) {
      normalized += this.replaceBytes(utf8Bytes(text.slice(end, match.index))) + match[0];
      end = match.index + match[0].length;
    }
    return normalized + this.replaceBytes(utf8Bytes(text.slice(end)));
  }

  private replaceBytes(bytes: Uint8Array): string {
    let normalized = '';
    let copied = 0;
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    for (let at = 0; at < bytes.length;) {
      const match = this.longestAt(bytes, at);
      if (match === null) {
        at += characterBytes(bytes[at] ?? 0);
        continue;
      }
      if (at > copied) normalized += decoder.decode(bytes.subarray(copied, at));
      normalized += this.replacement(match.value);
      at += match.lengthBytes;
      copied = at;
    }
    return copied === 0 ? normalized + decoder.decode(bytes) : normalized + decoder.decode(bytes.subarray(copied));
  }

  private replaceCharacters(text: string): string {
    const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
    const cache = new Map<string, string>();
    const replaced = (character: string): string => {
      const found = cache.get(character);
      if (found !== undefined) return found;
      const whole = this.replaceCharacter(character);
      cache.set(character, whole);
      return whole;
    };
    const codePoints = (plain: string): string => {
      let normalized = '';
      for (const character of plain) normalized += replaced(character);
      return normalized;
    };
    let normalized = '';
    let end = 0;
    for (const match of text.matchAll(COMPOSED)) {
      normalized += codePoints(text.slice(end, match.index));
      for (const { segment } of segmenter.segment(match[0])) normalized += replaced(segment);
      end = match.index + match[0].length;
    }
    return normalized + codePoints(text.slice(end));
  }

  /** One character as people see it, else its code points; the shortest entry counts and stands for all of it. */
  private replaceCharacter(character: string): string {
    const bytes = utf8Bytes(character);
    if (bytes.length <= MAX_WHOLE_CHARACTER_BYTES) {
      const match = this.shortestAt(bytes, 0);
      if (match !== null) return this.replacement(match.value);
    }
    let normalized = '';
    for (const codePoint of character) {
      const match = this.shortestAt(utf8Bytes(codePoint), 0);
      normalized += match === null ? codePoint : this.replacement(match.value);
    }
    return normalized;
  }

  private longestAt(bytes: Uint8Array, at: number): Match | null {
    let found: Match | null = null;
    for (const match of this.matchesAt(bytes, at)) found = match;
    return found;
  }

  private shortestAt(bytes: Uint8Array, at: number): Match | null {
    for (const match of this.matchesAt(bytes, at)) return match;
    return null;
  }

  /** Entries that the bytes have at a place, shortest first. Places outside the table end the search. */
  private *matchesAt(bytes: Uint8Array, at: number): Generator<Match> {
    const { units } = this;
    let place = offsetOf(units[0] ?? 0);
    for (let index = at; index < bytes.length; index++) {
      const byte = bytes[index] ?? 0;
      place ^= byte;
      const unit = units[place];
      // A zero byte ends keys and is in none.
      if (unit === undefined || byte === 0 || (unit & 0x8000_00ff) !== byte) return;
      place ^= offsetOf(unit);
      if ((unit & 0x100) === 0) continue;
      const leaf = units[place];
      if (leaf === undefined) return;
      yield { lengthBytes: index + 1 - at, value: leaf & 0x7fff_ffff };
    }
  }

  private replacement(value: number): string {
    const known = this.texts.get(value);
    if (known !== undefined) return known;
    const end = this.replacements.indexOf(0, value);
    if (value >= this.replacements.length || end === -1) throw damaged(`an entry points to byte ${value} of ${this.replacements.length}`);
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.replacements.subarray(value, end));
    this.texts.set(value, text);
    return text;
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** Length of a UTF-8 character by its first byte. */
function characterBytes(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function damaged(what: string): FormatError {
  return new FormatError(`The tokenizer's table of characters (precompiled_charsmap) is damaged: ${what}.`, {
    hint: 'Get the model again from where it came from.',
    details: { where: 'precompiled_charsmap' },
  });
}
