/** What a model's files say about it before its tensors were looked at; the tensors have the last word on some of it. */
import type { LayerShape, LinearRole, Rope } from './config';
import type { BlockDesign } from './design';
import type { Family, TensorNames } from './families/family';

/** Declared shape of a model and how its file names and orders tensors. */
export interface DeclaredModel {
  readonly family: Family;
  readonly design: BlockDesign;
  readonly names: TensorNames;
  readonly rotaryRows: 'interleaved' | 'halfSplit';
  readonly vocabulary: number;
  readonly hidden: number;
  readonly headDim: number;
  readonly layers: readonly LayerShape[];
  readonly rmsEpsilon: number;
  readonly rope: Rope;
  /** Whether the head is said to be the embedding; null where the format leaves it to the tensors. */
  readonly tied: boolean | null;
  /** Biases that are said to exist; null where the format leaves it to the tensors. */
  readonly biases: ReadonlySet<LinearRole> | null;
  /** Tensors that belong to the file without being weights of the model. */
  readonly accountedFor: readonly string[];
  readonly maxPositions: number;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
}

/** Joins per-layer widths and checks that they fit together. `where` names the file. */
export function joinLayers(
  heads: readonly number[],
  kvHeads: readonly number[],
  ffn: readonly number[],
): readonly LayerShape[] {
  return heads.map((count, layer) => ({ heads: count, kvHeads: kvHeads[layer] ?? count, ffn: ffn[layer] ?? 1 }));
}

/** Layers whose query heads cannot be shared out evenly among their key/value heads. */
export function unevenLayers(layers: readonly LayerShape[]): readonly number[] {
  return layers.flatMap((layer, index) => (layer.heads % layer.kvHeads === 0 ? [] : [index]));
}
