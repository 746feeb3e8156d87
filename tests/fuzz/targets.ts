/** Every parser of what people drop, in one list. */
import type { FuzzTarget } from './target';
import { CHECKPOINT_TARGETS } from './targets-checkpoints';
import { TEXT_TARGETS } from './targets-texts';
import { TOKENIZER_TARGETS } from './targets-tokenizers';

export const TARGETS: readonly FuzzTarget[] = [...CHECKPOINT_TARGETS, ...TOKENIZER_TARGETS, ...TEXT_TARGETS];
