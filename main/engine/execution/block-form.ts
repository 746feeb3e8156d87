/** From a model's configuration to the part of its design that shapes the graph of a block. */
import type { ModelConfig } from '../model/config';
import { rotaryWidthOf } from '../model/design';
import type { BlockForm } from './block-graph';

/** The form of a model's blocks; models with equal forms share graphs. */
export function blockForm({ design, headDim }: Pick<ModelConfig, 'design' | 'headDim'>): BlockForm {
  const { norm, normsBefore, normsAfter, qkNorm, gated, activation, parallel, attentionScale, attentionCap } = design;
  return { norm, normsBefore, normsAfter, qkNorm, gated, activation, parallel, attentionScale, attentionCap, rotaryWidth: rotaryWidthOf(design, headDim) };
}
