/** Kinds of tokens, by the numbers that SentencePiece's files and GGUF's `tokenizer.ggml.token_type` share. */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
