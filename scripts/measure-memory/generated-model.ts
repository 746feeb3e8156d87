/** Models with generated weights, for measuring memory: their numbers mean nothing, their sizes are real. */
import type { ModelConfig } from '../../main/engine/model/config';
import { LLAMA_BLOCK } from '../../main/engine/model/design';
import { globalWeightShape, layerWeightShape } from '../../main/engine/model/match-tensors';
import { resolveRope } from '../../main/engine/model/rope';
import type { ModelView } from '../../main/engine/model/view';
import type { Random } from '../../main/engine/support/random';
import type { Tensor32 } from '../../main/engine/tensors/handle';
import { elementCount } from '../../main/engine/tensors/shape';

/** Sizes of a model whose layers are all alike. */
export interface ModelSizes {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffn: number;
  readonly vocabulary: number;
  readonly tied: boolean;
}

export function configOf({ layers, hidden, heads, kvHeads, headDim, ffn, vocabulary, tied }: ModelSizes): ModelConfig {
  return {
    family: 'llama', design: LLAMA_BLOCK, vocabulary, hidden, headDim,
    layers: Array.from({ length: layers }, () => ({ heads, kvHeads, ffn })),
    rmsEpsilon: 1e-5, rope: resolveRope(10_000, headDim, null), tied, biases: new Set(),
    maxPositions: 8192, bosId: null, eosIds: [],
  };
}

/** Weights cut from one list of random numbers: as good as others for measuring memory, and quick. */
export function generatedView(config: ModelConfig, random: Random): ModelView {
  const samples = Float32Array.from({ length: 65_521 }, () => 0.02 * random.nextNormal());
  const make = (shape: readonly number[], into?: Float32Array): Promise<Tensor32> => {
    const data = into ?? new Float32Array(elementCount(shape));
    if (shape.length === 1) data.fill(1);
    else for (let at = 0; at < data.length; at += samples.length) data.set(samples.subarray(0, Math.min(samples.length, data.length - at)), at);
    return Promise.resolve({ shape, data });
  };
  return {
    config,
    readGlobal: (role) => make(globalWeightShape(config, role)),
    readLayer: (layer, role, into) => make(layerWeightShape(config, layer, role), into),
  };
}
