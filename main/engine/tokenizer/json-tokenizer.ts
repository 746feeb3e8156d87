/** Makes a Tokenizer from the content of tokenizer.json and tokenizer_config.json. */
import * as v from 'valibot';
import { FormatError } from '../support/errors';
import { chosenTemplate, DEFAULT_TEMPLATE, type ChatTemplates } from './chat-templates';
import { flag, id, text } from './json-fields';
import { parseTokenizerJson } from './parse-json';
import { isByteLevel, PipelineTokenizer } from './pipeline';
import type { AddedToken, TokenizerSpec } from './spec';
import type { Tokenizer } from './tokenizer';
import type { SpecialIds } from './vocabulary-entries';

/** Chat templates of known models stay under 20,000 characters; `renderChat` refuses longer ones too. */
export const MAX_TEMPLATE_CHARACTERS = 262_144;

const tokenSchema = v.nullish(v.union([v.string(), v.object({ content: v.string() })]));
const templateText = v.pipe(v.string(), v.maxLength(MAX_TEMPLATE_CHARACTERS));
const configSchema = v.object({
  bos_token: tokenSchema,
  eos_token: tokenSchema,
  pad_token: tokenSchema,
  add_bos_token: v.nullish(v.boolean()),
  added_tokens_decoder: v.nullish(v.record(v.string(), v.object({
    content: v.pipe(text, v.minLength(1)),
    special: flag(false),
    single_word: flag(false),
    lstrip: flag(false),
    rstrip: flag(false),
  }))),
  chat_template: v.nullish(v.union([templateText, v.array(v.object({ name: v.string(), template: templateText }))])),
});

/** The facts of a tokenizer_config.json that this program uses. */
export interface TokenizerConfig {
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  /** Null where the file leaves it to the tokenizer's post-processor. */
  readonly addsBos: boolean | null;
  readonly padToken: string | null;
  readonly chatTemplates: ChatTemplates;
  /** Tokens that the file adds to a vocabulary that comes as tokenizer.model. */
  readonly addedTokens: readonly AddedToken[];
}

/** Parses a tokenizer_config.json; null stands for no such file. Raises FormatError naming the field that does not fit. */
export function parseTokenizerConfig(json: unknown): TokenizerConfig {
  const result = v.safeParse(configSchema, json ?? {});
  if (!result.success) {
    const [issue] = result.issues;
    throw new FormatError(`tokenizer_config.json does not follow its format at ${v.getDotPath(issue) ?? 'the top'}: ${issue.message}.`, {
      hint: 'The file may be damaged. Get the model again from where it came from.',
      details: { file: 'tokenizer_config.json' },
    });
  }
  const { output } = result;
  const templates = output.chat_template ?? [];
  return {
    bosToken: contentOf(output.bos_token),
    eosToken: contentOf(output.eos_token),
    padToken: contentOf(output.pad_token),
    addsBos: output.add_bos_token ?? null,
    chatTemplates: new Map(
      Array.isArray(templates) ? templates.map(({ name, template }) => [name, template]) : [[DEFAULT_TEMPLATE, templates]],
    ),
    addedTokens: Object.entries(output.added_tokens_decoder ?? {}).map(([key, token]): AddedToken => ({
      id: parseId(key),
      content: token.content,
      special: token.special,
      singleWord: token.single_word,
      stripLeft: token.lstrip,
      stripRight: token.rstrip,
      lookedFor: 'text',
    })),
  };
}

function parseId(key: string): number {
  const result = v.safeParse(id, Number(key));
  if (result.success) return result.output;
  throw new FormatError(`tokenizer_config.json adds a token with the id "${key}", which is none.`, {
    details: { file: 'tokenizer_config.json', where: 'added_tokens_decoder' },
  });
}

function contentOf(token: v.InferOutput<typeof tokenSchema>): string | null {
  if (token === null || token === undefined) return null;
  return typeof token === 'string' ? token : token.content;
}

/**
 * A Tokenizer from parsed JSON. `tokenizerConfig` is null where the model has no such file; a chat template that
 * lies in a file of its own (chat_template.jinja) goes in as its `chat_template`. `extraEosIds` are end tokens that
 * only other files know. Raises FormatError or UnsupportedError.
 */
export function loadTokenizerFromJson(
  tokenizerJson: unknown,
  tokenizerConfig: unknown,
  extraEosIds: readonly number[] = [],
): Tokenizer {
  return tokenizerOfSpec(parseTokenizerJson(tokenizerJson), parseTokenizerConfig(tokenizerConfig), extraEosIds);
}

/** A Tokenizer from a resolved tokenizer and its configuration. Raises FormatError or UnsupportedError. */
export function tokenizerOfSpec(spec: TokenizerSpec, config: TokenizerConfig, extraEosIds: readonly number[]): Tokenizer {
  const { bosId, eosId } = specialIds(spec, config);
  return new PipelineTokenizer(spec, {
    kind: kindOf(spec),
    bosId,
    eosIds: [...new Set([...(eosId === null ? [] : [eosId]), ...extraEosIds])],
    prefixIds: prefixIdsOf(spec, config),
    chatTemplate: chosenTemplate(config.chatTemplates),
  });
}

/** For people, as `Tokenizer.kind`. */
function kindOf(spec: TokenizerSpec): string {
  if (spec.model.type === 'unigram') return 'Unigram';
  if (isByteLevel(spec)) return 'byte-level BPE';
  return spec.model.byteFallback ? 'SentencePiece BPE' : 'BPE';
}

/** Ids that mean something to programs, from the tokenizer and its configuration. */
export function specialIds(spec: TokenizerSpec, config: TokenizerConfig): SpecialIds {
  const prefixIds = prefixIdsOf(spec, config);
  return {
    bosId: tokenId(spec, config.bosToken) ?? prefixIds[0] ?? null,
    eosId: tokenId(spec, config.eosToken),
    unknownId: tokenId(spec, spec.model.unknownToken),
    padId: tokenId(spec, config.padToken),
    addsBos: prefixIds.length > 0,
    templates: config.chatTemplates,
  };
}

/** The id of a token by its text; null for none or one that the tokenizer does not have. */
export function tokenId(spec: TokenizerSpec, token: string | null): number | null {
  if (token === null) return null;
  return spec.addedTokens.find((added) => added.content === token)?.id ?? spec.model.vocabulary.get(token) ?? null;
}

/** An explicit `add_bos_token` outranks the post-processor, as in Hugging Face's Llama tokenizers. */
function prefixIdsOf(spec: TokenizerSpec, config: TokenizerConfig): readonly number[] {
  if (config.addsBos === false) return [];
  if (config.addsBos === true && spec.prefixTokens.length === 0) {
    const bos = tokenId(spec, config.bosToken);
    return bos === null ? [] : [bos];
  }
  return spec.prefixTokens.map((token) => {
    const id = tokenId(spec, token);
    if (id !== null) return id;
    throw new FormatError(`tokenizer.json puts the token "${token}" before texts, but has no such token.`, {
      details: { file: 'tokenizer.json', where: 'post_processor' },
    });
  });
}
