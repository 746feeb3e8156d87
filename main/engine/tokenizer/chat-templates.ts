/** The chat templates of a model by name, wherever they are kept: one called `default`, perhaps others beside it. */
import type { GgufMetadataLike } from './gguf-metadata';

/** The name of the template that is used where none is asked for. */
export const DEFAULT_TEMPLATE = 'default';
const GGUF_KEY = 'tokenizer.chat_template';

/** Jinja sources by name. */
export type ChatTemplates = ReadonlyMap<string, string>;

/** The template to use: the default one, else the first. */
export function chosenTemplate(templates: ChatTemplates): string | null {
  const [first] = templates.values();
  return templates.get(DEFAULT_TEMPLATE) ?? first ?? null;
}

/** Templates of a GGUF file: `tokenizer.chat_template`, and `tokenizer.chat_template.NAME` for others. */
export function ggufChatTemplates(metadata: GgufMetadataLike): ChatTemplates {
  const templates = new Map<string, string>();
  for (const [key, value] of metadata) {
    if (typeof value !== 'string') continue;
    if (key === GGUF_KEY) templates.set(DEFAULT_TEMPLATE, value);
    else if (key.startsWith(`${GGUF_KEY}.`)) templates.set(key.slice(GGUF_KEY.length + 1), value);
  }
  return templates;
}

/** The field `chat_template` of a tokenizer_config.json: a text, a list of named texts, or nothing. */
export function chatTemplateField(templates: ChatTemplates): { readonly chat_template?: unknown } {
  const [only] = templates.values();
  if (only === undefined) return {};
  if (templates.size === 1 && templates.has(DEFAULT_TEMPLATE)) return { chat_template: only };
  return { chat_template: [...templates].map(([name, template]) => ({ name, template })) };
}

/** GGUF keys and values for templates: texts by key, and the list of the others' names under `tokenizer.chat_templates`. */
export function chatTemplateKeys(templates: ChatTemplates): ReadonlyMap<string, string | readonly string[]> {
  const keys = new Map<string, string | readonly string[]>();
  const others = [...templates.keys()].filter((name) => name !== DEFAULT_TEMPLATE);
  if (others.length > 0) keys.set('chat_templates', others);
  for (const [name, template] of templates) keys.set(name === DEFAULT_TEMPLATE ? 'chat_template' : `chat_template.${name}`, template);
  return keys;
}
