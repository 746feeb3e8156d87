/**
 * Patterns of tokenizer.json as JavaScript regular expressions. The translation from Oniguruma's syntax (inline
 * flags, possessive quantifiers, its white space) is that of @huggingface/tokenizers; a pattern that JavaScript
 * cannot express is refused by name rather than matched differently.
 */
import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { UnsupportedError } from '../support/errors';
import type { PatternSpec, SplitBehavior } from './spec';

/** Longer patterns exist in no known tokenizer and could only exhaust the translator. */
const MAX_PATTERN_CHARACTERS = 20_000;

/** Splits of GPT-2's byte-level tokenizer (`ByteLevel` with `use_regex`): the one pattern that is implied, not written. */
export const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** A global, Unicode-aware RegExp for a pattern. Raises UnsupportedError when it cannot be expressed. */
export function compilePattern(pattern: PatternSpec): RegExp {
  if (pattern.kind === 'literal') return compileTexts([pattern.text]);
  if (pattern.source.length > MAX_PATTERN_CHARACTERS) {
    throw unsupportedPattern(`is ${pattern.source.length} characters long; at most ${MAX_PATTERN_CHARACTERS} are read`);
  }
  let compiled: RegExp | null;
  try {
    compiled = new SplitPreTokenizer({ type: 'Split', pattern: { Regex: pattern.source }, behavior: 'Isolated', invert: true }).pattern;
  } catch (error) {
    throw unsupportedPattern(`cannot be expressed here: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (compiled === null) throw unsupportedPattern('cannot be expressed here');
  if (repeatsChoices(compiled.source)) throw unsupportedPattern('repeats a group that can match in several ways, which may take forever');
  return compiled;
}

/** A pattern that finds the first of some texts that fits. Raises UnsupportedError where they are too long together. */
export function compileTexts(texts: readonly string[]): RegExp {
  const pattern = new RegExp(texts.map(escapeForRegExp).join('|'), 'gu');
  try {
    // How much a pattern may hold shows only when it is first used.
    pattern.test('');
  } catch {
    throw unsupportedPattern(`looks for texts of ${texts.reduce((sum, text) => sum + text.length, 0)} characters, more than can be looked for`);
  }
  pattern.lastIndex = 0;
  return pattern;
}

/** Groups repeated at most this often cannot multiply their ways beyond reason. */
const FEW = 4;

/**
 * Whether a group that holds a choice or a repetition is itself repeated, as in (a+)+ or (a|a)*: such a pattern tries a number
 * of ways that doubles with each character. Known tokenizers repeat characters, classes and groups of one way only.
 */
function repeatsChoices(source: string): boolean {
  const open: boolean[] = [];
  const tokens = /\\(?:[pPuk]\{[^}]*\}|.)|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<[^>]*>|[a-z-]*:))?|\)|[*+?]|\{\d+(?:,\d*)?\}|\|/gsu;
  for (let match = tokens.exec(source); match !== null; match = tokens.exec(source)) {
    const [token] = match;
    if (token.startsWith('(')) open.push(false);
    else if (token === ')') {
      const isChoice = open.pop() ?? false;
      const [repeat = ''] = /^(?:[*+]|\{[^}]*\})/.exec(source.slice(tokens.lastIndex)) ?? [];
      const most = repeat === '' ? 1 : Number(/(\d+)\}$/.exec(repeat)?.[1] ?? Number.POSITIVE_INFINITY);
      if (isChoice && most > FEW) return true;
      if (isChoice && open.length > 0) open[open.length - 1] = true;
    } else if (open.length > 0 && (token === '|' || /^[*+?]$|,/.test(token) && !token.startsWith('[') && !token.startsWith('\\'))) open[open.length - 1] = true;
  }
  return false;
}

function unsupportedPattern(what: string): UnsupportedError {
  return new UnsupportedError(`A pattern in the tokenizer's file ${what}.`, {
    hint: 'This tokenizer cannot be used by this version of the program.',
    details: { feature: 'tokenizer pattern' },
  });
}

/** A literal text as the source of a regular expression. */
export function escapeForRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/**
 * Appends the pieces of a text cut at a pattern's matches; no character is lost except matches under `Removed`.
 * With `invert`, the text between matches plays the part of the matches.
 */
export function splitByPattern(text: string, pattern: RegExp, behavior: SplitBehavior, invert: boolean, pieces: string[]): void {
  let previousMatched = false;
  let begun = false;
  const add = (start: number, end: number, matched: boolean): void => {
    if (end === start) return;
    const piece = text.slice(start, end);
    const joins = begun && joinsPrevious(behavior, matched, previousMatched);
    if (joins) pieces.push((pieces.pop() ?? '') + piece);
    else if (!(matched && behavior === 'Removed')) pieces.push(piece);
    begun = true;
    previousMatched = matched;
  };
  let end = 0;
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const length = match[0].length;
    if (length === 0) {
      // An empty match cuts nothing; step over a whole character, or exec would find it forever: from within one it goes back.
      pattern.lastIndex = match.index + ((text.codePointAt(match.index) ?? 0) > 0xffff ? 2 : 1);
      continue;
    }
    add(end, match.index, invert);
    add(match.index, match.index + length, !invert);
    end = match.index + length;
  }
  add(end, text.length, invert);
}

function joinsPrevious(behavior: SplitBehavior, matched: boolean, previousMatched: boolean): boolean {
  switch (behavior) {
    case 'Removed':
    case 'Isolated':
      return false;
    case 'MergedWithPrevious':
      return matched && !previousMatched;
    case 'MergedWithNext':
      return !matched && previousMatched;
    case 'Contiguous':
      return matched === previousMatched;
  }
}
