/** Unknown values in messages for people: any value of any file, never longer than a line, and never a reason to fail. */

const MAX_CHARACTERS = 80;
/** Lists in lists are shown this deep; what strangers nest without end must not exhaust the stack. */
const MAX_DEPTH = 4;
const MAX_ITEMS = 16;

/** A value from a file as text, cut to a readable length; texts stand as they are. */
export function describeValue(value: unknown): string {
  return cut(typeof value === 'string' ? value : asText(value, 0));
}

/** As `describeValue`, with texts in quotation marks: what is a number and what is a text shows. */
export function describeJson(value: unknown): string {
  return cut(asText(value, 0));
}

function cut(text: string): string {
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}...` : text;
}

/** Like JSON, of which 64-bit numbers have no form and numbers that are none have the wrong one. */
function asText(value: unknown, depth: number): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(cut(value));
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  if (depth >= MAX_DEPTH) return isList ? '[...]' : '{...}';
  if (isList) {
    const items: readonly unknown[] = Array.isArray(value) ? value : value instanceof DataView ? [] : [...(value as Uint8Array).subarray(0, MAX_ITEMS + 1)];
    const shown = items.slice(0, MAX_ITEMS).map((item) => asText(item, depth + 1));
    return `[${[...shown, ...(items.length > MAX_ITEMS ? ['...'] : [])].join(',')}]`;
  }
  const entries = Object.entries(value);
  const shown = entries.slice(0, MAX_ITEMS).map(([key, item]) => `${JSON.stringify(cut(key))}:${asText(item, depth + 1)}`);
  return `{${[...shown, ...(entries.length > MAX_ITEMS ? ['...'] : [])].join(',')}}`;
}
