/** Logits of a written ONNX model with its cache: a prompt, then one token at a time, as programs that write text run it. */
import { join } from 'node:path';
import { ONNX_NAMES, layerName } from '../export/onnx-graph';
import { ONNX_MODEL } from '../export/onnx-model';
import type { ModelConfig } from '../model/config';
import { ModelFile, type ModelFileOptions } from '../runtime/model-file';
import { float32, float32Data, int64, type RuntimeTensor } from '../runtime/session';
import { throwIfCancelled } from '../support/progress';

/** How many of the last ids are given one by one. */
const SINGLE_TOKENS = 8;

/** What the logits' shape and the cache's follow from. */
type CacheSizes = Pick<ModelConfig, 'vocabulary' | 'headDim' | 'layers'>;

/** Logits [T, V] of one sequence of ids under the model in `folder`, whose sizes are known; `singles` ids at the end are given one by one. */
export async function computeOnnxLogits(
  folder: string,
  config: CacheSizes,
  ids: readonly number[],
  options: ModelFileOptions & { readonly singles?: number; readonly signal?: AbortSignal | undefined },
): Promise<Float32Array> {
  const file = await ModelFile.open(join(folder, ONNX_MODEL), options);
  try {
    const logits = new Float32Array(ids.length * config.vocabulary);
    const prompt = ids.length - Math.min(options.singles ?? SINGLE_TOKENS, ids.length - 1);
    let cache = emptyCache(config);
    for (let done = 0; done < ids.length; ) {
      throwIfCancelled(options.signal);
      const next = ids.slice(done, done === 0 ? prompt : done + 1);
      const total = done + next.length;
      const results = await file.run(new Map([
        [ONNX_NAMES.ids, int64(next, [1, next.length])],
        [ONNX_NAMES.mask, int64(new Array<number>(total).fill(1), [1, total])],
        [ONNX_NAMES.positions, int64(next.map((_, at) => done + at), [1, next.length])],
        ...cache,
      ]));
      logits.set(float32Data(results.get(ONNX_NAMES.logits), ONNX_NAMES.logits), done * config.vocabulary);
      cache = grownCache(config, results);
      done = total;
    }
    return logits;
  } finally {
    await file.dispose();
  }
}

function emptyCache(config: CacheSizes): Map<string, RuntimeTensor> {
  return new Map(config.layers.flatMap(({ kvHeads }, layer) =>
    [ONNX_NAMES.pastKey, ONNX_NAMES.pastValue].map((name) => [layerName(name, layer), float32(new Float32Array(0), [1, kvHeads, 0, config.headDim])] as const)));
}

function grownCache(config: CacheSizes, results: ReadonlyMap<string, RuntimeTensor>): Map<string, RuntimeTensor> {
  const pairs = [[ONNX_NAMES.presentKey, ONNX_NAMES.pastKey], [ONNX_NAMES.presentValue, ONNX_NAMES.pastValue]] as const;
  return new Map([...config.layers.keys()].flatMap((layer) => pairs.flatMap(([present, past]) => {
    const tensor = results.get(layerName(present, layer));
    return tensor === undefined ? [] : [[layerName(past, layer), tensor] as const];
  })));
}
