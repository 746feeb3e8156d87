/** Damage to JSON that stays JSON: values of another kind, absurd numbers, keys twice, gone or of JavaScript's own, nesting without end. */
import type { Random } from '../../main/engine/support/random';
import { damageBytes, pick } from './bytes';

/** Values that no reader expects, as JSON text; surrogates alone are legal there. */
const ODD_VALUES: readonly string[] = [
  'null', 'true', 'false', '0', '-0', '-1', '1', '2', '0.5', '1e308', '1e999', '-1e999', '1e-320', '2147483648', '4194303', '4294967295', '9007199254740991',
  '9007199254740993', '18446744073709551616', '123456789012345678901234567890', '""', '" "', '"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', '"\\ufeff"',
  '"../../x"', '"/"', '"."', '"a\\u0000b"', '"__proto__"', '"constructor"', '"Infinity"', '"NaN"', '[]', '{}', '[[]]', '[null]', '[{}]', '{"":null}',
  '{"__proto__":{"a":1}}', '{"length":4294967295}', '{"type":"Sequence"}', '{"toString":1}', '"default"', '"(a+)+$"', '"(?:a|a)*b"',
];
const ODD_KEYS = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '', 'type', '\u0000'];
const DEPTHS = [10, 100, 1_000, 5_000];

/** A value as a tree that can hold a key twice. */
type Node = { readonly kind: 'text'; text: string } | { readonly kind: 'list'; readonly items: Node[] } | { readonly kind: 'object'; readonly entries: [string, Node][] };

function toNode(value: unknown): Node {
  if (Array.isArray(value)) return { kind: 'list', items: value.map(toNode) };
  if (typeof value === 'object' && value !== null) return { kind: 'object', entries: Object.entries(value).map(([key, item]) => [key, toNode(item)]) };
  return { kind: 'text', text: JSON.stringify(value) };
}

function toText(node: Node): string {
  if (node.kind === 'text') return node.text;
  if (node.kind === 'list') return `[${node.items.map(toText).join(',')}]`;
  return `{${node.entries.map(([key, value]) => `${JSON.stringify(key)}:${toText(value)}`).join(',')}}`;
}

function oddNode(random: Random): Node {
  const way = random.nextInteger(24);
  if (way === 0) {
    const depth = pick(random, DEPTHS);
    const [open, inside, close] = pick(random, [['[', '', ']'], ['{"a":', '1', '}'], ['[[', '0', ']]'], ['{"type":"Sequence","normalizers":[', '', ']}']] as const);
    return { kind: 'text', text: open.repeat(depth) + inside + close.repeat(depth) };
  }
  if (way === 1) return { kind: 'text', text: JSON.stringify(pick(random, ['a', ' ', 'é', '\u{1f600}', '{% for x in y %}']).repeat(1 + random.nextInteger(3000))) };
  return { kind: 'text', text: pick(random, ODD_VALUES) };
}

/** Goes down to a random container; at each level it may stop. */
function containerIn(root: Node, random: Random): Node {
  let node = root;
  for (;;) {
    const inner = (node.kind === 'list' ? node.items : node.kind === 'object' ? node.entries.map(([, value]) => value) : []).filter((item) => item.kind !== 'text');
    if (inner.length === 0 || random.nextInteger(4) === 0) return node;
    node = pick(random, inner);
  }
}

/** A number near the one that stands there, or any odd value. */
function changed(node: Node, random: Random): Node {
  if (node.kind === 'text' && /^-?\d+$/.test(node.text) && random.nextInteger(3) === 0) return { kind: 'text', text: String(Number(node.text) + pick(random, [-1, 1, -2, 2, 1000])) };
  return oddNode(random);
}

function damageNode(root: Node, random: Random): void {
  const node = containerIn(root, random);
  if (node.kind === 'list') {
    const at = random.nextInteger(node.items.length + 1);
    const item = node.items[at];
    const way = random.nextInteger(5);
    if (item === undefined || way === 0) node.items.splice(at, 0, oddNode(random));
    else if (way === 1) node.items.splice(at, 1);
    else if (way === 2) node.items.splice(random.nextInteger(node.items.length), 0, item);
    else if (way === 3) node.items.splice(at);
    else node.items[at] = changed(item, random);
  } else if (node.kind === 'object') {
    const at = random.nextInteger(node.entries.length + 1);
    const entry = node.entries[at];
    const way = random.nextInteger(6);
    if (entry === undefined || way === 0) node.entries.splice(at, 0, [pick(random, ODD_KEYS), oddNode(random)]);
    else if (way === 1) node.entries.splice(at, 1);
    else if (way === 2) node.entries.push([entry[0], oddNode(random)]);
    else if (way === 3) node.entries.push([pick(random, ODD_KEYS), entry[1]]);
    else node.entries[at] = [entry[0], changed(entry[1], random)];
  }
}

/** Damages a JSON text, or JSON lines: its structure three times of four, else its bytes. */
export function damageJson(seed: Buffer, random: Random): Buffer {
  if (random.nextInteger(4) === 0) return damageBytes(seed, random);
  const root = toNode(JSON.parse(seed.toString('utf8')));
  for (let left = 1 + random.nextInteger(3); left > 0; left--) damageNode(root, random);
  const text = random.nextInteger(64) === 0 ? toText(oddNode(random)) : toText(root);
  return Buffer.from(random.nextInteger(64) === 0 ? `\ufeff${text}` : text);
}

/** As `damageJson` for one line of many, or for the lines' order and ends. */
export function damageLines(seed: Buffer, random: Random): Buffer {
  if (random.nextInteger(3) === 0) return damageBytes(seed, random);
  const lines = seed.toString('utf8').split('\n').filter((line) => line !== '');
  const at = random.nextInteger(lines.length);
  lines[at] = damageJson(Buffer.from(lines[at] ?? ''), random).toString('utf8');
  return Buffer.from(lines.join(pick(random, ['\n', '\r\n', '\n\n', '\r'])));
}
