/** From tokens back to text: the decoder part of a tokenizer.json, as one function over the tokens' texts. */
import { appendTokenBytes } from './byte-level';
import { compilePattern } from './patterns';
import type { DecoderStep } from './spec';

/** The text of tokens. Bytes that are not UTF-8 become U+FFFD. */
export type DecodeTokens = (tokens: readonly string[]) => string;
type Step = (tokens: readonly string[]) => readonly string[];

/** Compiles decoder steps into one function; without steps tokens are joined as they are. */
export function compileDecoder(steps: readonly DecoderStep[]): DecodeTokens {
  const functions = steps.map(compileStep);
  return (tokens) => functions.reduce((soFar, apply) => apply(soFar), tokens).join('');
}

function compileStep(step: DecoderStep): Step {
  switch (step.type) {
    case 'byteLevel':
      return (tokens) => {
        const bytes: number[] = [];
        for (const token of tokens) appendTokenBytes(token, bytes);
        return [decodeUtf8(bytes)];
      };
    case 'byteFallback':
      return decodeByteTokens;
    case 'fuse':
      return (tokens) => [tokens.join('')];
    case 'replace': {
      const pattern = compilePattern(step.pattern);
      return (tokens) => tokens.map((token) => token.replace(pattern, () => step.content));
    }
    case 'strip':
      return (tokens) => tokens.map((token) => stripEnds(token, step.content, step.start, step.stop));
    case 'metaspace':
      return (tokens) =>
        tokens.map((token, index) => {
          const spaced = token.replaceAll(step.mark, ' ');
          return index === 0 && step.scheme !== 'never' && spaced.startsWith(' ') ? spaced.slice(1) : spaced;
        });
  }
}

/** Joins runs of byte tokens (`<0xE2>`) into the characters that they spell. */
function decodeByteTokens(tokens: readonly string[]): readonly string[] {
  const decoded: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) decoded.push(decodeUtf8(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (hex !== undefined) {
      bytes.push(Number.parseInt(hex, 16));
      continue;
    }
    flush();
    decoded.push(token);
  }
  flush();
  return decoded;
}

function stripEnds(token: string, content: string, start: number, stop: number): string {
  let from = 0;
  let to = token.length;
  if (content === '') return token;
  for (let count = 0; count < start && token.startsWith(content, from); count++) from += content.length;
  for (let count = 0; count < stop && to - content.length >= from && token.slice(0, to).endsWith(content); count++) {
    to -= content.length;
  }
  return token.slice(from, to);
}

function decodeUtf8(bytes: readonly number[]): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}
