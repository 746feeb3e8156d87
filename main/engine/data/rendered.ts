/** Documents as the model will see them: conversations in its own words, those that it refuses left out by number. */
import { chatRenderer, RefusedConversationError } from '../tokenizer/chat';
import type { Tokenizer } from '../tokenizer/tokenizer';
import { documentText, type ChatStyle, type Document } from './rows';
import type { TextSource } from './text-source';

/** How a model writes conversations, from its tokenizer; null if it has no template. */
export function chatStyle(tokenizer: Tokenizer): ChatStyle | null {
  if (tokenizer.chatTemplate === null) return null;
  const textOf = (id: number | null | undefined): string => (id === null || id === undefined ? '' : (tokenizer.tokenText(id) ?? ''));
  const options = { bos: textOf(tokenizer.bosId), eos: textOf(tokenizer.eosIds[0]), addGenerationPrompt: false };
  const render = chatRenderer(tokenizer.chatTemplate);
  return (messages) => render(messages, options);
}

/** A document and its text. */
export interface RenderedDocument {
  readonly row: number;
  readonly document: Document;
  readonly text: string;
}

/** The texts of a source in order. Raises TextError for a template that cannot be used at all, and what reading raises. */
export async function* renderDocuments(source: TextSource, style: ChatStyle | null): AsyncGenerator<RenderedDocument> {
  for await (const { row, document } of source.documents) {
    let text: string;
    try {
      text = documentText(document, style);
    } catch (error) {
      if (!(error instanceof RefusedConversationError)) throw error;
      source.leaveOut(row, 'row-refused', `cannot be written as this model writes conversations: ${error.message.replace(/\.$/, '')}`, 'Roles may have to take turns, beginning with the user.');
      continue;
    }
    yield { row, document, text };
  }
}
