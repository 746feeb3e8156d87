/** Makes a Tokenizer from the content of tokenizer.json and tokenizer_config.json. */
import * as v from 'valibot';
import { FormatError } from '../support/errors';
import { parseTokenizerJson } from './parse-json';
import { isByteLevel, PipelineTokenizer } from './pipeline';
import type { TokenizerSpec } from './spec';
import type { Tokenizer } from './tokenizer';

/** Chat templates of known models stay under 20,000 characters; `renderChat` refuses longer ones too. */
export const MAX_TEMPLATE_CHARACTERS = 262_144;

const tokenSchema = v.nullish(v.union([v.string(), v.object({ content: v.string() })]));
const templateText = v.pipe(v.string(), v.maxLength(MAX_TEMPLATE_CHARACTERS));
const configSchema = v.object({
  bos_token: tokenSchema,
  eos_token: tokenSchema,
  add_bos_token: v.nullish(v.boolean()),
  chat_template: v.nullish(v.union([templateText, v.array(v.object({ name: v.string(), template: templateText }))])),
});

/** The facts of a tokenizer_config.json that this program uses. */
export interface TokenizerConfig {
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  /** Null where the file leaves it to the tokenizer's post-processor. */
  readonly addsBos: boolean | null;
  readonly chatTemplate: string | null;
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
  const { bos_token, eos_token, add_bos_token, chat_template } = result.output;
  const templates = chat_template ?? null;
  return {
    bosToken: contentOf(bos_token),
    eosToken: contentOf(eos_token),
    addsBos: add_bos_token ?? null,
    chatTemplate: Array.isArray(templates)
      ? ((templates.find((entry) => entry.name === 'default') ?? templates[0])?.template ?? null)
      : templates,
  };
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
  const spec = parseTokenizerJson(tokenizerJson);
  const config = parseTokenizerConfig(tokenizerConfig);
  const prefixIds = prefixIdsOf(spec, config);
  const eosId = tokenId(spec, config.eosToken);
  return new PipelineTokenizer(spec, {
    kind: kindOf(spec),
    bosId: tokenId(spec, config.bosToken) ?? prefixIds[0] ?? null,
    eosIds: [...new Set([...(eosId === null ? [] : [eosId]), ...extraEosIds])],
    prefixIds,
    chatTemplate: config.chatTemplate,
  });
}

/** For people, as `Tokenizer.kind`. */
function kindOf(spec: TokenizerSpec): string {
  if (isByteLevel(spec)) return 'byte-level BPE';
  return spec.model.byteFallback ? 'SentencePiece BPE' : 'BPE';
}

/** The id of a token by its text; null for none or one that the tokenizer does not have. */
export function tokenId(spec: TokenizerSpec, token: string | null): number | null {
  if (token === null) return null;
  return spec.addedTokens.find((added) => added.content === token)?.id ?? spec.model.vocabulary.get(token) ?? null;
}

/** An explicit `add_bos_token` outranks the post-processor, as in Hugging Face's Llama tokenizers. */
export function prefixIdsOf(spec: TokenizerSpec, config: TokenizerConfig): readonly number[] {
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
