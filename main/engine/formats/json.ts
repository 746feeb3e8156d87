/**
 * JSON from files we did not write: UTF-8 checked, a byte-order mark tolerated, and objects that name the same key
 * twice found, which JSON.parse hides by keeping the last.
 */
import { FormatError } from '../support/errors';

/** An object from JSON whose values nobody has looked at yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a JSON value is an object (not null, not an array). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Real files of models nest about ten deep. What nests without end would exhaust the stack of whoever looks at it. */
const MAX_NESTING = 200;

/** Parses UTF-8 JSON. `where` names the file in messages. Throws FormatError, also for values nested more than 200 deep. */
export function parseJson(bytes: Uint8Array, where: string): unknown {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${where} is not UTF-8 text.`, { cause, details: { file: where } });
  }
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : '';
    throw new FormatError(`${where} is not valid JSON: ${reason}`, { cause, details: { file: where } });
  }
  requireNesting(value, where);
  return value;
}

/** Throws FormatError if a value from JSON nests lists and objects more than 200 deep. Linear in its size. */
export function requireNesting(value: unknown, where: string): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_NESTING) throw new FormatError(`${where} nests lists and objects more than ${MAX_NESTING} deep; no file of a model does.`, { details: { file: where } });
    const inner: unknown[] = [];
    for (const part of level) {
      if (typeof part !== 'object' || part === null) continue;
      for (const item of Array.isArray(part) ? (part as readonly unknown[]) : Object.values(part)) if (typeof item === 'object' && item !== null) inner.push(item);
    }
    level = inner;
  }
}

/** Parses UTF-8 JSON that must be an object. */
export function parseJsonObject(bytes: Uint8Array, where: string): JsonObject {
  const value = parseJson(bytes, where);
  if (!isJsonObject(value)) {
    throw new FormatError(`${where} should hold a JSON object and holds ${Array.isArray(value) ? 'a list' : typeof value}.`, {
      details: { file: where },
    });
  }
  return value;
}

/** The first key that an object in `text` (valid JSON) names twice, or null. Linear in the text. */
export function findDuplicateKey(text: string): string | null {
  // One entry per open bracket: the keys seen so far in an object, null in a list.
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(null);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
      const keys = open.at(-1);
      if (keys && isFollowedByColon(text, at + 1)) {
        const key = String(JSON.parse(text.slice(start, at + 1)));
        if (keys.has(key)) return key;
        keys.add(key);
      }
    }
  }
  return null;
}

function isFollowedByColon(text: string, at: number): boolean {
  let index = at;
  while (text[index] === ' ' || text[index] === '\n' || text[index] === '\r' || text[index] === '\t') index++;
  return text[index] === ':';
}
