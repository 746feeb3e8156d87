/** Renders chat templates (Jinja) of models under limits: a template comes from a stranger's file. */
import { Environment, parse, tokenize } from '@huggingface/jinja';
import { TextError } from '../support/errors';
import { BoundedInterpreter } from './bounded-interpreter';
import { MAX_TEMPLATE_CHARACTERS } from './json-tokenizer';

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface ChatOptions {
  /** Texts of the special tokens, empty where the model has none. */
  readonly bos: string;
  readonly eos: string;
  /** Ends with the words that make the model answer. */
  readonly addGenerationPrompt: boolean;
}

const MAX_RANGE = 65_536;

/** A template that said no to one conversation, as many do where roles do not take turns; it may take the next. */
export class RefusedConversationError extends TextError {}

/**
 * The prompt text of a conversation. Encode it without asking for special tokens: the template has put them in.
 * Raises TextError when the template is too large, cannot be understood, does not come to an end, or refuses the
 * conversation.
 */
export function renderChat(template: string, messages: readonly ChatMessage[], options: ChatOptions): string {
  return chatRenderer(template)(messages, options);
}

/** `renderChat` for many conversations: the template is parsed once, at the first of them. Raises TextError then. */
export function chatRenderer(template: string): (messages: readonly ChatMessage[], options: ChatOptions) => string {
  let program: ReturnType<typeof parse> | null = null;
  return (messages, options) => {
    if (template.length > MAX_TEMPLATE_CHARACTERS) {
      throw new TextError(`The model's chat template is ${template.length} characters long; at most ${MAX_TEMPLATE_CHARACTERS} are read.`);
    }
    let rendered: unknown;
    try {
      // lstrip_blocks and trim_blocks are how Hugging Face renders chat templates.
      program ??= parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
      const environment = new Environment();
      for (const [name, value] of Object.entries(variables(messages, options))) environment.set(name, value);
      rendered = new BoundedInterpreter(environment).run(program).value;
    } catch (error) {
      if (error instanceof TextError) throw error;
      throw new TextError(`The model's chat template cannot be used: ${error instanceof Error ? error.message : String(error)}`, {
        hint: 'Without the template the model can still go on from plain text.',
        cause: error,
      });
    }
    return typeof rendered === 'string' ? rendered : '';
  };
}

function variables(messages: readonly ChatMessage[], options: ChatOptions): Record<string, unknown> {
  return {
    true: true, false: false, none: null, True: true, False: false, None: null,
    raise_exception: (message: unknown) => {
      throw new RefusedConversationError(`The model's chat template refuses this conversation: ${String(message)}`);
    },
    range: boundedRange,
    // Templates that print the date would make equal runs differ; they all handle its absence or accept any text.
    strftime_now: () => '',
    messages: messages.map(({ role, content }) => ({ role, content })),
    bos_token: options.bos,
    eos_token: options.eos,
    add_generation_prompt: options.addGenerationPrompt,
  };
}

/** Python's range, refusing to fill the memory. */
function boundedRange(start: number, stop?: number | null, step?: number | null): number[] {
  const from = stop === undefined || stop === null ? 0 : start;
  const to = stop === undefined || stop === null ? start : stop;
  const by = step ?? 1;
  const count = by === 0 ? Number.NaN : Math.max(0, Math.ceil((to - from) / by));
  if (!(count <= MAX_RANGE)) throw new TextError(`The model's chat template asks for range(${from}, ${to}, ${by}), which is not sensible.`);
  return Array.from({ length: count }, (_, index) => from + index * by);
}
