/**
 * Reads a tokenizer.json (the format of Hugging Face's `tokenizers`) into a TokenizerSpec. Parts that this program
 * does not run are refused by name: a tokenizer that is nearly right would spoil every figure silently.
 */
import * as v from 'valibot';
import { FormatError, UnsupportedError } from '../support/errors';
import { flag, id, parseAs, text } from './json-fields';
import { parseModel } from './parse-model';
import {
  PREPEND_SCHEMES,
  SPLIT_BEHAVIORS,
  type AddedToken,
  type DecoderStep,
  type NormalizerStep,
  type PatternSpec,
  type PreTokenizerStep,
  type PrependScheme,
  type TokenizerSpec,
  type UnicodeForm,
} from './spec';

/** Sequences may contain sequences; no real file goes deeper than two. */
const MAX_NESTING = 8;

const addedTokenSchema = v.object({
  id,
  content: v.pipe(text, v.minLength(1)),
  special: flag(false),
  single_word: flag(false),
  lstrip: flag(false),
  rstrip: flag(false),
  normalized: v.nullish(v.boolean()),
});

const patternSchema = v.union([v.object({ String: text }), v.object({ Regex: v.string() })]);
const behaviorSchema = v.picklist(SPLIT_BEHAVIORS);
const schemeSchema = v.nullish(v.picklist(PREPEND_SCHEMES));
const metaspaceSchema = v.object({ replacement: v.nullish(text, '▁'), prepend_scheme: schemeSchema, add_prefix_space: v.nullish(v.boolean()), split: flag(true) });

const tokenizerSchema = v.object({
  added_tokens: v.nullish(v.array(addedTokenSchema), []),
  normalizer: v.nullish(v.unknown()),
  pre_tokenizer: v.nullish(v.unknown()),
  post_processor: v.nullish(v.unknown()),
  decoder: v.nullish(v.unknown()),
  model: v.looseObject({}),
});

type StepTable<Step> = Readonly<Record<string, (node: unknown, where: string) => readonly Step[]>>;

/** Flattens a component (null, one step, or sequences of steps) by a table from type name to steps. */
function parseSteps<Step>(node: unknown, where: string, listKey: string, table: StepTable<Step>, depth = 0): Step[] {
  if (node === null || node === undefined) return [];
  const { type } = parseAs(v.looseObject({ type: v.string() }), node, where);
  if (type === 'Sequence') {
    if (depth >= MAX_NESTING) throw new FormatError(`tokenizer.json nests ${where} more than ${MAX_NESTING} deep.`);
    const list = parseAs(v.looseObject({ [listKey]: v.array(v.unknown()) }), node, where)[listKey];
    return parseAs(v.array(v.unknown()), list, where).flatMap((item, index) =>
      parseSteps(item, `${where}[${index}]`, listKey, table, depth + 1),
    );
  }
  // `Object.hasOwn`: a type named `constructor` must not find the prototype's.
  const parse = Object.hasOwn(table, type) ? table[type] : undefined;
  if (parse === undefined) {
    throw new UnsupportedError(`The tokenizer uses ${where} "${type}", which this program does not run.`, {
      hint: `Supported here: ${Object.keys(table).join(', ')}.`,
      details: { feature: `tokenizer ${where}`, found: type },
    });
  }
  return [...parse(node, where)];
}

function parsePattern(node: unknown, where: string): PatternSpec {
  const pattern = parseAs(patternSchema, node, where);
  return 'Regex' in pattern ? { kind: 'regex', source: pattern.Regex } : { kind: 'literal', text: pattern.String };
}

function parseReplace(node: unknown, where: string): { type: 'replace'; pattern: PatternSpec; content: string } {
  const { pattern, content } = parseAs(v.object({ pattern: v.unknown(), content: text }), node, where);
  return { type: 'replace', pattern: parsePattern(pattern, `${where}.pattern`), content };
}

/** Older files say `add_prefix_space` instead of `prepend_scheme`. */
function prependScheme(node: v.InferOutput<typeof metaspaceSchema>): PrependScheme {
  return node.prepend_scheme ?? (node.add_prefix_space === false ? 'never' : 'always');
}

const unicode = (form: UnicodeForm) => (): readonly NormalizerStep[] => [{ type: 'unicode', form }];

const NORMALIZERS: StepTable<NormalizerStep> = {
  NFC: unicode('NFC'),
  NFD: unicode('NFD'),
  NFKC: unicode('NFKC'),
  NFKD: unicode('NFKD'),
  Lowercase: () => [{ type: 'lowercase' }],
  Strip: (node, where) => {
    const { strip_left, strip_right } = parseAs(v.object({ strip_left: flag(true), strip_right: flag(true) }), node, where);
    return [{ type: 'strip', left: strip_left, right: strip_right }];
  },
  Prepend: (node, where) => [{ type: 'prepend', text: parseAs(v.object({ prepend: text }), node, where).prepend }],
  Replace: (node, where) => [parseReplace(node, where)],
  Precompiled: (node, where) => {
    const { precompiled_charsmap } = parseAs(v.object({ precompiled_charsmap: v.nullish(v.string(), '') }), node, where);
    if (precompiled_charsmap === '') return [];
    return [{ type: 'charsmap', charsmap: Buffer.from(precompiled_charsmap, 'base64'), matching: 'character', kept: [] }];
  },
};

function split(source: string, behavior: (typeof SPLIT_BEHAVIORS)[number], invert = false): PreTokenizerStep {
  return { type: 'split', pattern: { kind: 'regex', source }, behavior, invert };
}

const PRE_TOKENIZERS: StepTable<PreTokenizerStep> = {
  ByteLevel: (node, where) => {
    const found = parseAs(v.object({ add_prefix_space: flag(true), use_regex: flag(true) }), node, where);
    return [{ type: 'byteLevel', addPrefixSpace: found.add_prefix_space, useRegex: found.use_regex }];
  },
  Split: (node, where) => {
    const found = parseAs(v.object({ pattern: v.unknown(), behavior: behaviorSchema, invert: flag(false) }), node, where);
    return [{ type: 'split', pattern: parsePattern(found.pattern, `${where}.pattern`), behavior: found.behavior, invert: found.invert }];
  },
  Digits: (node, where) => {
    const { individual_digits } = parseAs(v.object({ individual_digits: flag(false) }), node, where);
    return [split('\\p{N}', individual_digits ? 'Isolated' : 'Contiguous')];
  },
  Punctuation: (node, where) => [
    split('[\\p{P}$+<=>^`|~]', parseAs(v.object({ behavior: v.nullish(behaviorSchema, 'Isolated') }), node, where).behavior),
  ],
  Whitespace: () => [split('\\w+|[^\\w\\s]+', 'Removed', true)],
  WhitespaceSplit: () => [split('\\s', 'Removed')],
  Metaspace: (node, where) => {
    const found = parseAs(metaspaceSchema, node, where);
    return [{ type: 'metaspace', mark: found.replacement, scheme: prependScheme(found), split: found.split }];
  },
};

const DECODERS: StepTable<DecoderStep> = {
  ByteLevel: () => [{ type: 'byteLevel' }],
  ByteFallback: () => [{ type: 'byteFallback' }],
  Fuse: () => [{ type: 'fuse' }],
  Replace: (node, where) => [parseReplace(node, where)],
  Strip: (node, where) => {
    const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
    const found = parseAs(v.object({ content: text, start: count, stop: count }), node, where);
    return [{ type: 'strip', content: found.content, start: found.start, stop: found.stop }];
  },
  Metaspace: (node, where) => {
    const found = parseAs(metaspaceSchema, node, where);
    return [{ type: 'metaspace', mark: found.replacement, scheme: prependScheme(found) }];
  },
};

function parsePreTokenizer(node: unknown): PreTokenizerStep[] {
  const steps = parseSteps(node, 'pre_tokenizer', 'pretokenizers', PRE_TOKENIZERS);
  const bytes = steps.findIndex((step) => step.type === 'byteLevel');
  if (bytes !== -1 && bytes !== steps.length - 1) {
    // Later steps would have to see bytes where ours see text.
    throw new UnsupportedError('The tokenizer cuts text further after turning it into bytes, which this program does not run.', {
      details: { feature: 'tokenizer pre_tokenizer', found: 'steps after ByteLevel' },
    });
  }
  return steps;
}

/** A template's pieces before the text; what comes after it (an end token) is not this program's to add. */
const POST_PROCESSORS: StepTable<string> = {
  ByteLevel: () => [],
  TemplateProcessing: (node, where) => {
    const piece = v.union([v.object({ SpecialToken: v.object({ id: text }) }), v.object({ Sequence: v.unknown() })]);
    const { single } = parseAs(v.object({ single: v.array(piece) }), node, where);
    const prefix: string[] = [];
    for (const item of single) {
      if (!('SpecialToken' in item)) break;
      prefix.push(item.SpecialToken.id);
    }
    return prefix;
  },
};

/**
 * The parsed content of a tokenizer.json, checked and resolved. Raises FormatError where the file does not follow
 * its format, UnsupportedError where it asks for a part that this program does not run.
 */
export function parseTokenizerJson(json: unknown): TokenizerSpec {
  const found = parseAs(tokenizerSchema, json, 'the top');
  // First, so that a kind that is not run is named by its own name and not by that of its steps.
  const model = parseModel(found.model);
  const addedTokens = found.added_tokens.map((token): AddedToken => ({
    id: token.id,
    content: token.content,
    special: token.special,
    singleWord: token.single_word,
    stripLeft: token.lstrip,
    stripRight: token.rstrip,
    lookedFor: (token.normalized ?? !token.special) ? 'normalized' : 'text',
  }));
  return {
    addedTokens,
    normalizer: parseSteps(found.normalizer, 'normalizer', 'normalizers', NORMALIZERS),
    preTokenizer: parsePreTokenizer(found.pre_tokenizer),
    decoder: parseSteps(found.decoder, 'decoder', 'decoders', DECODERS),
    prefixTokens: parseSteps(found.post_processor, 'post_processor', 'processors', POST_PROCESSORS),
    model,
  };
}
