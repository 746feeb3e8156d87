/** Weights between stages: safetensors files in the run's folder, float32, named by layer and role, and their sizes. */
import * as v from 'valibot';
import type { LoadedModel } from '../../execution/loaded-model';
import { globalTensor, layerOf, layerTensor } from '../../execution/loaded-model';
import { openSafetensors } from '../../formats/safetensors/reader';
import { writeSafetensors } from '../../formats/safetensors/writer';
import { LINEAR_ROLES, type GlobalRole, type LayerRole, type ModelConfig } from '../../model/config';
import { globalRoles, layerRoles } from '../../model/view';
import { FormatError } from '../../support/errors';
import type { Tensor32 } from '../../tensors/handle';
import type { RunFolder } from '../run-folder';

/** Names of models that stages leave. */
export type StageModel = 'pruned' | 'recovered';

const configSchema = v.object({
  family: v.string(),
  vocabulary: v.number(),
  hidden: v.number(),
  headDim: v.number(),
  layers: v.array(v.object({ heads: v.number(), kvHeads: v.number(), ffn: v.number() })),
  rmsEpsilon: v.number(),
  rope: v.object({
    theta: v.number(),
    inverseFrequencies: v.array(v.number()),
    attentionFactor: v.optional(v.number(), 1),
    scaling: v.nullable(v.record(v.string(), v.unknown())),
  }),
  tied: v.boolean(),
  biases: v.array(v.picklist(LINEAR_ROLES)),
  maxPositions: v.number(),
  bosId: v.nullable(v.number()),
  eosIds: v.array(v.number()),
});

/** Writes a model's sizes and weights. The sizes come last: where they are, the weights are complete. */
export async function saveStageModel(folder: RunFolder, name: StageModel, model: LoadedModel, signal: AbortSignal): Promise<void> {
  const { config } = model;
  const globals = globalRoles(config).map((role) => ({ name: role, tensor: globalTensor(model, role) }));
  const layers = config.layers.flatMap((_, index) =>
    layerRoles(config).map((role) => ({ name: layerName(index, role), tensor: layerTensor(layerOf(model, index), role) })),
  );
  const tensors = [...globals, ...layers].map(({ name: tensorName, tensor }) => ({
    name: tensorName,
    type: 'F32' as const,
    shape: tensor.shape,
    read: () => Promise.resolve(tensor.data),
  }));
  await writeSafetensors(folder.path(`${name}.safetensors`), tensors, { signal });
  await folder.writeJson(`${name}.json`, { ...config, biases: [...config.biases] });
}

/** Reads what `saveStageModel` wrote. Throws FormatError if a weight is missing. */
export async function loadStageModel(folder: RunFolder, name: StageModel): Promise<LoadedModel> {
  const stored = await folder.readJson(`${name}.json`, configSchema);
  const config: ModelConfig = { ...stored, biases: new Set(stored.biases) };
  const file = await openSafetensors(folder.path(`${name}.safetensors`));
  try {
    const read = async (tensorName: string): Promise<Tensor32> => {
      const handle = file.tensors.get(tensorName);
      if (handle === undefined) {
        throw new FormatError(`${file.path} holds no weight ${tensorName}.`, { details: { file: file.path, tensor: tensorName } });
      }
      return { shape: handle.shape, data: await handle.readFloat32() };
    };
    const globals = new Map<GlobalRole, Tensor32>();
    for (const role of globalRoles(config)) globals.set(role, await read(role));
    const layers = [];
    for (const [index, shape] of config.layers.entries()) {
      const tensors = new Map<LayerRole, Tensor32>();
      for (const role of layerRoles(config)) tensors.set(role, await read(layerName(index, role)));
      layers.push({ shape, tensors });
    }
    return { config, globals, layers };
  } finally {
    await file.close();
  }
}

function layerName(layer: number, role: LayerRole): string {
  return `layers.${layer}.${role}`;
}
